#!/usr/bin/env bash
# Fetch FMA's clips (small: 7.2 GiB) into data/fma_small/NNN/NNNNNN.mp3 and its tables into data/fma_metadata/tracks.csv
#
#     bash download_fma.sh [--size=small|medium] [--data=FOLDER] [--archive=FILE] [--metadata=FILE]
#
# --size=SIZE       small (default): 8,000 clips of 8 genres; medium: 25,000 of 16
# --data=FOLDER     where both folders go; default: data. A plain argument means the same.
# --archive=FILE    a fma_small.zip (or fma_medium.zip) that was fetched before; it is not fetched
# --metadata=FILE   likewise a fma_metadata.zip
#
# FMA_URL is the address of another folder that holds the archives. FMA_SHA1 and FMA_METADATA_SHA1 are the hashes of one
# more copy to accept of either. A call that was interrupted is continued by the next.
set -euo pipefail
# shellcheck source=genre/download.sh
source "$(dirname "$0")/genre/download.sh"

base=${FMA_URL:-https://os.unil.cloud.switch.ch/fma/}

if command -v unzip >/dev/null; then
    names() { unzip -Z1 "$1"; }
    details() { unzip -Z "$1"; }
    # 81: an unzip that was built without bzip2, by which FMA's archives are compressed
    extract() { unzip -qq "$1" -d "$2" || { [ $? -eq 81 ] && otherwise "$1" "$2"; }; }
    otherwise() { bsdtar -xof "$1" -C "$2" 2>/dev/null || python3 -m zipfile -e "$1" "$2"; }
else
    names() { bsdtar -tf "$1"; }
    details() { bsdtar -tvf "$1"; }
    extract() { bsdtar -xof "$1" -C "$2"; }
fi
clips() { find "$1/" -type f -name '[0-9]*.mp3' 2>/dev/null | wc -l; }
complete() {
    if [ "${1##*/}" = fma_metadata ]; then [ -s "$1/tracks.csv" ]; else [ "$(clips "$1")" -gt 0 ]; fi
}

data=data clips_file="" metadata_file="" size=small
for option; do
    case $option in
        --size=small | --size=medium) size=${option#*=} ;;
        --size=*) fail 2 "unknown size '${option#*=}': there are small and medium" ;;
        --data=?*) data=${option#*=} ;;
        --archive=?*) clips_file=${option#*=} ;;
        --metadata=?*) metadata_file=${option#*=} ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit ;;
        -* | "") fail 2 "unknown option '$option': there are --size=, --data=, --archive= and --metadata=" ;;
        *) data=$option ;;
    esac
done

add() { # folder name, option and file for a local archive, variable, known sha1s
    if present "$1"; then
        echo "$data/$1 is there already"
        return
    fi
    any_of sha1sum shasum >/dev/null
    any_of unzip bsdtar >/dev/null
    writable
    archive=$3 # of the user, or ""
    obtain "$1.zip" 1 "$5" "$4" "$2" "${base%/}/$1.zip"
    unpack "$1"
}

# The sha1s that FMA publishes beside its archives.
clips_sha1=ade154f733639d52e35e32f5593efe5be76c6d70 expected=8000
if [ "$size" = medium ]; then clips_sha1=c67b69ea232021025fca9231fc1c7c1a063ab50b expected=25000; fi
tables_sha1=f0df49ffe5f2a6008d7dc83c6915b31835dfe733
add fma_metadata --metadata "$metadata_file" FMA_METADATA_SHA1 "$tables_sha1 ${FMA_METADATA_SHA1:-}"
add "fma_$size" --archive "$clips_file" FMA_SHA1 "$clips_sha1 ${FMA_SHA1:-}"

count=$(clips "$data/fma_$size")
[ "$count" -eq $expected ] || echo "${0##*/}: warning: FMA $size has $expected clips, here are $((count))" >&2
echo "$data/fma_$size: $((count)) clips; $data/fma_metadata: tracks.csv"
