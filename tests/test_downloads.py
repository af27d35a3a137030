"""The download scripts against a server on loopback: what arrives whole, and what is refused in one line."""

import hashlib
import http.server
import io
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest
from conftest import ROOT

GENRES = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
TOOLS = [
    "bash",
    "cat",
    "cksum",
    "cut",
    "dirname",
    "find",
    "grep",
    "gzip",
    "head",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "perl",
]
TOOLS += ["rm", "rmdir", "sed", "sha1sum", "sha256sum", "shasum", "tail", "tar", "bsdtar", "unzip", "tr", "wc"]
BASH = shutil.which("bash")
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens
# The public hosts are tried last: a proxy that is not there keeps every test from them.
OFFLINE = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "no_proxy": "127.0.0.1"}
POWERSHELL = shutil.which("pwsh")
needs_powershell = pytest.mark.skipif(POWERSHELL is None, reason="needs pwsh")
needs_bash = pytest.mark.skipif(os.name == "nt" or BASH is None, reason="needs bash")
fetchers = pytest.mark.parametrize(
    "fetcher",
    [pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=name)) for name in ("curl", "wget")],
)


def tar(members, links=()):
    """The bytes of a .tar.gz of {name: content} and of links (name, target, type)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
        for name, target, kind in links:
            member = tarfile.TarInfo(name)
            member.linkname, member.type = target, kind
            archive.addfile(member)
    return file.getvalue()


def zipped(members, link=None):
    """The bytes of a .zip of {name: content} and of a symbolic link of this name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if link:
            member = zipfile.ZipInfo(link)
            member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16  # 3: Unix
            archive.writestr(member, "/etc")
    return file.getvalue()


def noise(seed, count=600):
    return random.Random(seed).randbytes(count)  # does not compress


TRACKS = {f"genres/{genre}/{genre}.{i:05d}.wav": noise(f"{genre}{i}") for genre in GENRES for i in range(2)}
GTZAN = tar({"genres/bextract_single.mf": b"list"} | TRACKS)
CLIPS = zipped(
    {"fma_small/README.txt": b"FMA", "fma_small/000/000002.mp3": noise(2), "fma_small/133/133297.mp3": noise(133297)}
)
TABLES = zipped({"fma_metadata/tracks.csv": b"track_id\n2\n"})
HTML = b"\n<!DOCTYPE html>\n<html><body>Log in</body></html>"


def sha(content, bits=256):
    return hashlib.new(f"sha{bits}", content).hexdigest()


@pytest.fixture
def server():
    """Serves `server.files` on loopback; `ranges` and `cut` (once, after half a file) may be changed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests.append((self.path, self.headers["Range"]))
            content = server.files.get(self.path)
            if content is None:
                return self.send_error(404)
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "bytes=0-")[1]) if server.ranges else 0
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            self.wfile.write(content[start : len(content) // 2 if server.cut else None])
            server.cut = False

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = {"/genres.tar.gz": GTZAN, "/fma_small.zip": CLIPS, "/fma_metadata.zip": TABLES}
    server.ranges, server.cut, server.requests = True, False, []
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def call(tmp_path):
    """Calls a script in `tmp_path` with only `TOOLS` and a fetcher in reach, and only loopback."""

    def call(script, *options, code=0, fetcher="curl", without=(), limit=None, **variables):
        tools = tmp_path / "-".join(["tools", fetcher, *without])
        tools.mkdir(exist_ok=True)
        for tool in [*TOOLS, fetcher]:
            if (path := shutil.which(tool)) and tool not in without and not (tools / tool).exists():
                (tools / tool).symlink_to(path)
        command = [BASH, str(ROOT / script), *map(str, options)]
        if limit:  # largest file in KiB: what exceeds it fails as on a full disk
            command = [BASH, "-c", f'trap "" XFSZ; ulimit -f {limit}; exec "$0" "$@"', *command]
        environment = {"PATH": str(tools), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)} | OFFLINE | variables
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == code, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        if code:
            assert len(done.stderr.splitlines()) == 1, done.stderr
        return done

    return call


def gtzan(server):
    return {"GTZAN_URL": f"{server.address}/genres.tar.gz", "GTZAN_SHA256": sha(GTZAN)}


def fma(server):
    return {"FMA_URL": f"{server.address}/", "FMA_SHA1": sha(CLIPS, 1), "FMA_METADATA_SHA1": sha(TABLES, 1)}


def files(folder):
    """{path below the folder: content} of all files, hidden ones included."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@needs_bash
@fetchers
def test_gtzan_is_fetched_verified_and_unpacked_once(server, call, tmp_path, fetcher):
    data = tmp_path / "my data"
    first = call("download_gtzan.sh", f"--data={data}", fetcher=fetcher, **gtzan(server))
    assert {name: content for name, content in files(data).items() if name.endswith(".wav")} == TRACKS
    assert set(files(data)) - set(TRACKS) == {"genres/bextract_single.mf"}  # and no archive, no .part
    assert first.stdout.splitlines()[-1].startswith(f"{data}/genres is complete: 10 genres, 20 tracks")
    assert "100 tracks of each genre" in first.stderr and "jazz 2, metal 2" in first.stderr
    second = call("download_gtzan.sh", data, fetcher=fetcher, **gtzan(server))
    assert "is there already" in second.stdout
    assert len(server.requests) == 1


@needs_bash
@fetchers
def test_fma_is_fetched_verified_and_unpacked_once(server, call, tmp_path, fetcher):
    for _ in range(2):
        done = call("download_fma.sh", fetcher=fetcher, **fma(server))
        assert "8000 clips, here are 2" in done.stderr
    found = files(tmp_path / "data")
    assert set(found) == {
        "fma_small/README.txt",
        "fma_small/000/000002.mp3",
        "fma_small/133/133297.mp3",
        "fma_metadata/tracks.csv",
    }
    assert len(server.requests) == 2


@needs_bash
def test_the_larger_fma_is_another_file_in_a_folder_of_its_own(server, call, tmp_path):
    clips = zipped({"fma_medium/README.txt": b"about", "fma_medium/000/000002.mp3": b"sound"})
    server.files["/fma_medium.zip"] = clips
    done = call("download_fma.sh", "--size=medium", **fma(server) | {"FMA_SHA1": sha(clips, 1)})
    assert "25000 clips, here are 1" in done.stderr
    assert (tmp_path / "data" / "fma_medium" / "000" / "000002.mp3").read_bytes() == b"sound"


@needs_bash
@pytest.mark.skipif(not shutil.which("bsdtar"), reason="bsdtar")
def test_fma_needs_unzip_or_bsdtar(server, call, tmp_path):
    call("download_fma.sh", without=("unzip",), **fma(server))
    assert (tmp_path / "data" / "fma_small" / "000" / "000002.mp3").read_bytes() == noise(2)


@needs_bash
@pytest.mark.skipif(not shutil.which("unzip"), reason="unzip")
def test_what_an_unzip_without_bzip2_cannot_unpack_python_does(server, call, tmp_path):
    tools = tmp_path / "tools-curl-unzip"
    tools.mkdir()
    (tools / "unzip").write_text(f'#!{BASH}\n[ "$1" != -qq ] || exit 81\nexec {shutil.which("unzip")} "$@"\n')
    (tools / "unzip").chmod(0o755)
    (tools / "python3").write_text(f'#!{BASH}\nexec {sys.executable} "$@"\n')
    (tools / "python3").chmod(0o755)
    call("download_fma.sh", without=("unzip",), **fma(server))
    assert (tmp_path / "data" / "fma_small" / "000" / "000002.mp3").read_bytes() == noise(2)


@needs_bash
def test_the_hash_of_one_archive_of_fma_is_none_of_the_other(server, call, tmp_path):
    variables = fma(server) | {"FMA_SHA1": sha(TABLES, 1)}
    assert sha(CLIPS, 1) in call("download_fma.sh", code=1, **variables).stderr
    assert not (tmp_path / "data" / "fma_small").exists()


@needs_bash
@fetchers
def test_half_a_file_is_continued_with_a_range_request(server, call, tmp_path, fetcher):
    server.cut = True
    if fetcher == "curl":  # wget goes on by itself
        error = call("download_gtzan.sh", code=1, **gtzan(server)).stderr
        assert "call again, the download goes on" in error
        (part,) = files(tmp_path / "data").values()
        assert part == GTZAN[: len(GTZAN) // 2]
    call("download_gtzan.sh", fetcher=fetcher, **gtzan(server))
    assert server.requests[-1] == ("/genres.tar.gz", f"bytes={len(GTZAN) // 2}-")
    assert TRACKS.items() <= files(tmp_path / "data").items()


@needs_bash
@fetchers
def test_half_a_file_of_a_server_without_ranges_is_fetched_anew(server, call, tmp_path, fetcher):
    server.cut, server.ranges = True, False
    if fetcher == "curl":
        call("download_gtzan.sh", code=1, **gtzan(server))
    call("download_gtzan.sh", fetcher=fetcher, **gtzan(server))
    assert TRACKS.items() <= files(tmp_path / "data").items()


@needs_bash
@fetchers
def test_an_unknown_copy_is_kept_but_not_unpacked_and_the_message_says_how_to_accept_it(
    server, call, tmp_path, fetcher
):
    url = {"GTZAN_URL": f"{server.address}/genres.tar.gz"}
    for _ in range(2):  # the second call finds the file whole
        error = call("download_gtzan.sh", code=1, fetcher=fetcher, **url).stderr
        assert f"delete it and call again, or, if you trust it, GTZAN_SHA256={sha(GTZAN)} bash " in error
        assert error.endswith("download_gtzan.sh\n")
        assert f"{len(GTZAN)} bytes" in error and "24347e0223d2ba79" in error and "1225571541" in error
        assert list(files(tmp_path / "data").values()) == [GTZAN]
    server.requests.clear()
    call("download_gtzan.sh", fetcher=fetcher, GTZAN_SHA256=sha(GTZAN), **url)
    assert server.requests == []
    assert TRACKS.items() <= files(tmp_path / "data").items()


@needs_bash
@fetchers
def test_a_page_instead_of_an_archive_is_called_one_and_not_kept(server, call, tmp_path, fetcher):
    server.files["/genres.tar.gz"] = HTML
    error = call("download_gtzan.sh", code=1, fetcher=fetcher, **gtzan(server)).stderr
    assert "genres.tar.gz (sent an HTML page, not an archive)" in error
    assert files(tmp_path / "data") == {}
    (tmp_path / "saved.tar.gz").write_bytes(HTML)
    error = call("download_gtzan.sh", "--archive=saved.tar.gz", code=1).stderr
    assert "saved.tar.gz is an HTML page, not an archive" in error


@needs_bash
@fetchers
@pytest.mark.parametrize("script", ["download_gtzan.sh", "download_fma.sh"])
def test_without_a_network_one_line_names_the_address_and_the_option(call, tmp_path, script, fetcher):
    error = call(script, code=1, fetcher=fetcher).stderr
    if script == "download_gtzan.sh":
        assert "fetch https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz elsewhere" in error
        assert "http://opihi.cs.uvic.ca/sound/genres.tar.gz" in error and "give --archive=FILE" in error
    else:
        assert "fetch https://os.unil.cloud.switch.ch/fma/fma_metadata.zip elsewhere and give --metadata=FILE" in error
    assert files(tmp_path / "data") == {}


@needs_bash
def test_a_missing_file_of_the_first_address_leads_to_the_next(server, call, tmp_path):
    error = call("download_gtzan.sh", code=1, GTZAN_URL=f"{server.address}/moved").stderr
    assert error.index("/moved (HTTP status 404)") < error.index("huggingface.co") < error.index("opihi")


@needs_bash
def test_a_local_archive_needs_no_network_and_stays(call, tmp_path):
    (tmp_path / "my gtzan.tgz").write_bytes(GTZAN)
    (tmp_path / "clips.zip").write_bytes(CLIPS)
    (tmp_path / "tables.zip").write_bytes(TABLES)
    call("download_gtzan.sh", "--archive=my gtzan.tgz", GTZAN_SHA256=sha(GTZAN), without=("curl",))
    hashes = {"FMA_SHA1": sha(CLIPS, 1), "FMA_METADATA_SHA1": sha(TABLES, 1)}
    call("download_fma.sh", "--archive=clips.zip", "--metadata=tables.zip", **hashes, without=("curl",))
    assert {path.name for path in tmp_path.iterdir()} >= {"my gtzan.tgz", "clips.zip", "tables.zip"}
    assert sorted(os.listdir(tmp_path / "data")) == ["fma_metadata", "fma_small", "genres"]
    assert "no file nowhere.zip" in call("download_fma.sh", "--data=b", "--metadata=nowhere.zip", code=2).stderr


@needs_bash
@pytest.mark.parametrize("member", ["../x", "genres/../../x", "/x", "symlink", "hard link"])
def test_a_tar_member_that_leaves_the_folder_is_refused_before_anything_is_unpacked(call, tmp_path, member):
    links = {
        "symlink": ("genres/x", "../..", tarfile.SYMTYPE),
        "hard link": ("genres/x", "/etc/passwd", tarfile.LNKTYPE),
    }
    evil = tar(TRACKS, [links[member]]) if member in links else tar(TRACKS | {member: b"evil"})
    (tmp_path / "evil.tar.gz").write_bytes(evil)
    error = call("download_gtzan.sh", "--archive=evil.tar.gz", GTZAN_SHA256=sha(evil), code=1).stderr
    assert "nothing unpacked" in error and ("genres/x" if member in links else member) in error
    assert os.listdir(tmp_path / "data") == []


@needs_bash
@pytest.mark.parametrize(
    "without", [(), pytest.param(("unzip",), marks=pytest.mark.skipif(not shutil.which("bsdtar"), reason="bsdtar"))]
)
@pytest.mark.parametrize("member", ["../x", "fma_metadata/../../x", "/x", "symlink"])
def test_a_zip_member_that_leaves_the_folder_is_refused_before_anything_is_unpacked(call, tmp_path, member, without):
    tables = {"fma_metadata/tracks.csv": b"track_id\n"}
    evil = zipped(tables, "fma_metadata/x") if member == "symlink" else zipped(tables | {member: b"evil"})
    (tmp_path / "evil.zip").write_bytes(evil)
    error = call(
        "download_fma.sh", "--metadata=evil.zip", FMA_METADATA_SHA1=sha(evil, 1), code=1, without=without
    ).stderr
    assert "nothing unpacked" in error and ("fma_metadata/x" if member == "symlink" else member) in error
    assert os.listdir(tmp_path / "data") == []


@needs_bash
@pytest.mark.parametrize("content", [b"no archive", GTZAN[:2000], tar({"songs/a.wav": b"a"})])
def test_what_is_no_whole_gtzan_leaves_nothing_behind(call, tmp_path, content):
    (tmp_path / "other.tar.gz").write_bytes(content)
    error = call("download_gtzan.sh", "--archive=other.tar.gz", code=1).stderr
    assert f"{len(content)} bytes" in error and "no known copy" in error
    assert f"use another copy, or, if you trust it, GTZAN_SHA256={sha(content)} bash " in error
    assert error.endswith("download_gtzan.sh --archive=other.tar.gz\n")
    error = call("download_gtzan.sh", "--archive=other.tar.gz", GTZAN_SHA256=sha(content), code=1).stderr
    assert "other.tar.gz" in error and "another copy" in error
    assert os.listdir(tmp_path / "data") == []


@needs_bash
@fetchers
def test_a_full_disk_leaves_only_the_part_file_and_the_next_call_goes_on(server, call, tmp_path, fetcher):
    error = call("download_gtzan.sh", code=1, fetcher=fetcher, limit=4, **gtzan(server)).stderr
    assert "disk full?" in error
    ((name, part),) = files(tmp_path / "data").items()
    assert name.endswith(".part") and part == GTZAN[:4096]
    call("download_gtzan.sh", fetcher=fetcher, **gtzan(server))
    assert server.requests[-1] == ("/genres.tar.gz", "bytes=4096-")


@needs_bash
def test_a_disk_that_fills_up_in_unpacking_leaves_no_half_set(call, tmp_path):
    large = tar(TRACKS | {"genres/rock/rock.00002.wav": bytes(9000)})
    (tmp_path / "genres.tar.gz").write_bytes(large)
    error = call("download_gtzan.sh", "--archive=genres.tar.gz", code=1, limit=8, GTZAN_SHA256=sha(large)).stderr
    assert "disk full?" in error
    assert os.listdir(tmp_path / "data") == []


@needs_bash
def test_a_target_that_cannot_be_written_is_one_line(call, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    for data in ["file/data"] + ["locked"] * (os.geteuid() != 0):  # to root nothing is locked
        error = call("download_gtzan.sh", f"--data={data}", code=2).stderr
        assert f"cannot write into {data}" in error and "--data=FOLDER" in error


@needs_bash
def test_what_the_user_has_is_neither_replaced_nor_removed(server, call, tmp_path):
    own = tmp_path / "data" / "genres" / "rock" / "my_song.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    error = call("download_gtzan.sh", code=2, **gtzan(server)).stderr
    assert "data/genres holds something else" in error and "--data=ANOTHER_FOLDER" in error
    assert files(tmp_path / "data") == {"genres/rock/my_song.wav": b"mine"} and server.requests == []


@needs_bash
def test_an_empty_folder_is_no_obstacle(server, call, tmp_path):
    (tmp_path / "data" / "genres").mkdir(parents=True)
    call("download_gtzan.sh", **gtzan(server))
    assert TRACKS.items() <= files(tmp_path / "data").items()


@needs_bash
@pytest.mark.parametrize("script", ["download_gtzan.sh", "download_fma.sh"])
def test_a_wrong_call_is_one_line_and_help_explains(call, script):
    assert "unknown option '--dta=x': there are --" in call(script, "--dta=x", code=2).stderr
    assert "unknown option '--data='" in call(script, "--data=", code=2).stderr
    assert f"bash {script} [--" in call(script, "--help").stdout
    assert "small and medium" in call("download_fma.sh", "--size=huge", code=2).stderr


@needs_bash
@pytest.mark.parametrize(
    "script, without, message",
    [
        ("download_gtzan.sh", ("curl",), "needs curl or wget"),
        ("download_gtzan.sh", ("sha256sum", "shasum"), "needs sha256sum or shasum"),
        ("download_gtzan.sh", ("tar",), "needs tar"),
        ("download_fma.sh", ("sha1sum", "shasum"), "needs sha1sum or shasum"),
        ("download_fma.sh", ("unzip", "bsdtar"), "needs unzip or bsdtar"),
    ],
)
def test_a_missing_tool_is_named(call, script, without, message):
    assert message in call(script, code=2, without=without).stderr


@needs_bash
@pytest.mark.skipif(not shutil.which("shasum"), reason="shasum")
def test_shasum_will_do(server, call, tmp_path):
    call("download_gtzan.sh", without=("sha256sum",), **gtzan(server))
    assert (tmp_path / "data" / "genres").is_dir()


@needs_bash
def test_a_copy_of_another_size_is_refused(call, tmp_path):
    (tmp_path / "genres.tar.gz").write_bytes(GTZAN)
    for difference in (1, 0):
        copy = f"{sha(GTZAN).upper()}:{len(GTZAN) + difference}"
        call("download_gtzan.sh", "--archive=genres.tar.gz", code=int(difference > 0), GTZAN_SHA256=copy)


@pytest.mark.parametrize("name", ["download_gtzan", "download_fma"])
def test_both_shells_know_the_same_copies_addresses_and_variables(name):
    bash, powershell = ((ROOT / f"{name}.{ending}").read_text(encoding="ascii") for ending in ("sh", "ps1"))
    for pattern in (r"\b[0-9a-f]{40,64}(?::\d+)?\b", r"https?://[\w./-]+", r"\b(?:GTZAN|FMA)_[A-Z0-9_]+\b"):
        assert set(re.findall(pattern, bash)) == set(re.findall(pattern, powershell)) != set()


def call_powershell(cwd, script, *options, code=0, **variables):
    command = [POWERSHELL, "-NoProfile", "-NonInteractive", "-File", str(ROOT / script), *map(str, options)]
    environment = os.environ | OFFLINE | variables
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == code, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@needs_powershell
def test_powershell_continues_verifies_and_unpacks_once(server, tmp_path):
    server.cut = True
    options = ("download_gtzan.ps1", "-Data", tmp_path / "my data")
    assert "call again, the download goes on" in call_powershell(tmp_path, *options, code=1, **gtzan(server)).stderr
    call_powershell(tmp_path, *options, **gtzan(server))
    assert server.requests[-1] == ("/genres.tar.gz", f"bytes={len(GTZAN) // 2}-")
    assert "is there already" in call_powershell(tmp_path, *options, **gtzan(server)).stdout
    assert files(tmp_path / "my data") == TRACKS | {"genres/bextract_single.mf": b"list"}
    assert len(server.requests) == 2


@needs_powershell
def test_powershell_fetches_fma(server, tmp_path):
    call_powershell(tmp_path, "download_fma.ps1", **fma(server))
    assert sorted(os.listdir(tmp_path / "data")) == ["fma_metadata", "fma_small"]
    assert (tmp_path / "data" / "fma_small" / "000" / "000002.mp3").read_bytes() == noise(2)


@needs_powershell
def test_powershell_refuses_what_bash_refuses(server, tmp_path):
    data = tmp_path / "data"
    evil = {
        "evil.zip": zipped({"../x": b"evil"}),
        "link.zip": zipped({}, "x"),
        "evil.tar.gz": tar(TRACKS | {"../x": b""}),
    }
    for name, content in evil.items():
        (tmp_path / name).write_bytes(content)
        script, option = (
            ("download_fma.ps1", "-Metadata") if name.endswith("zip") else ("download_gtzan.ps1", "-Archive")
        )
        hashes = {"FMA_METADATA_SHA1": sha(content, 1), "GTZAN_SHA256": sha(content)}
        assert "nothing unpacked" in call_powershell(tmp_path, script, option, name, code=1, **hashes).stderr
        assert os.listdir(data) == []
    url = {"GTZAN_URL": f"{server.address}/genres.tar.gz"}
    assert f"'{sha(GTZAN)}'" in call_powershell(tmp_path, "download_gtzan.ps1", code=1, **url).stderr
    assert list(files(data).values()) == [GTZAN]
    (tmp_path / "page.tar.gz").write_bytes(HTML)
    page = call_powershell(tmp_path, "download_gtzan.ps1", "-Archive", "page.tar.gz", code=1)
    assert "is an HTML page" in page.stderr
    (data / "genres").mkdir()
    (data / "genres" / "mine").touch()
    assert "holds something else" in call_powershell(tmp_path, "download_gtzan.ps1", code=2, **gtzan(server)).stderr
