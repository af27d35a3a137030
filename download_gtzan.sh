#!/usr/bin/env bash
# Fetch GTZAN (1.2 GB) into data/genres/<genre>/<track>.wav
#
#     bash download_gtzan.sh [--data=FOLDER] [--archive=FILE]
#
# --data=FOLDER   where genres/ goes; default: data. A plain argument means the same.
# --archive=FILE  a genres.tar.gz that was fetched before; nothing is fetched
#
# GTZAN_URL is an address to try first, GTZAN_SHA256 the hash of one more copy to accept.
# A call that was interrupted is continued by the next.
set -euo pipefail
# shellcheck source=genre/download.sh
source "$(dirname "$0")/genre/download.sh"

# The archive of the original host, its sha256 and bytes as TensorFlow Datasets records them.
known="24347e0223d2ba798e0a558c4c172d9d4a19c00bb7963fe055d183dadb4ef2c6:1225571541 ${GTZAN_SHA256:-}"
addresses=(
    https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz
    http://opihi.cs.uvic.ca/sound/genres.tar.gz # the original host, silent since 2022
)
genres="blues classical country disco hiphop jazz metal pop reggae rock"

names() { tar -tzf - <"$1"; }
details() { tar -tvzf - <"$1"; }
extract() { tar -xzof - -C "$2" <"$1"; }
tracks() { find "$1/" -type f \( -name '*.wav' -o -name '*.au' \) ! -name '.*' 2>/dev/null | wc -l; }
complete() {
    local genre
    for genre in $genres; do [ "$(tracks "$1/$genre")" -gt 0 ] || return 1; done
}

data=data archive=""
for option; do
    case $option in
        --data=?*) data=${option#*=} ;;
        --archive=?*) archive=${option#*=} ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit ;;
        -* | "") fail 2 "unknown option '$option': there are --data=FOLDER and --archive=FILE" ;;
        *) data=$option ;;
    esac
done

if present genres; then
    made="is there already"
else
    any_of sha256sum shasum >/dev/null
    any_of tar >/dev/null
    writable
    obtain genres.tar.gz 256 "$known" GTZAN_SHA256 --archive ${GTZAN_URL:+"$GTZAN_URL"} "${addresses[@]}"
    unpack genres
    made="is complete"
fi
total=0 odd=""
for genre in $genres; do
    count=$(tracks "$data/genres/$genre")
    total=$((total + count))
    [ "$count" -eq 100 ] || odd+=" $genre $((count)),"
done
[ -z "$odd" ] || echo "${0##*/}: warning: GTZAN has 100 tracks of each genre, here are:${odd%,}" >&2
echo "$data/genres $made: 10 genres, $total tracks (jazz.00054.wav of some copies is broken)"
