"""Other people's browser code: whole, changed only where that is marked, and kept by browsers."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tests.waits import TIMEOUT

ROOT = Path(__file__).resolve().parent.parent.parent
NOVNC = ROOT / "labportal/assets/vendor/novnc-1.7.0-1"
OURS = ROOT / "labportal/assets/portal"
# core/rfb.js in the package, before bin/_novnc.patch.
OF_UPSTREAM = "c46dfefbf869eda0c6d06c5dd86c42e96fc8a77c125e91599a2cdf3841261564"


def differences(folder: Path) -> list[str]:
    """Files that are not what SHA256SUMS says, are missing, or are not in it."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    expected = {path: digest for digest, path in (line.split("  ", 1) for line in lines)}
    found = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and file not in {folder / "README.md", folder / "SHA256SUMS"}
    }
    return sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))


def test_novnc_is_what_was_fetched_and_whole() -> None:
    assert differences(NOVNC) == []


def test_without_the_patch_the_changed_file_is_novncs_own(tmp_path: Path) -> None:
    changed = tmp_path / "core/rfb.js"
    changed.parent.mkdir()
    changed.write_bytes((NOVNC / "core/rfb.js").read_bytes())
    assert changed.read_text().count("Lab Portal") == 1
    subprocess.run(["git", "apply", "--reverse", ROOT / "bin/_novnc.patch"], cwd=tmp_path, check=True, timeout=TIMEOUT)
    assert hashlib.sha256(changed.read_bytes()).hexdigest() == OF_UPSTREAM


def test_a_changed_a_lost_and_an_added_file_are_found(tmp_path: Path) -> None:
    for name in ("same", "changed", "added"):
        (tmp_path / name).write_text(name)
    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("same", "changed", "lost")}
    (tmp_path / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    (tmp_path / "changed").write_text("by somebody")
    assert differences(tmp_path) == ["added", "changed", "lost"]


def test_the_script_the_readme_and_the_console_mean_the_same_version() -> None:
    script, readme = (ROOT / "bin/vendor").read_text(), (NOVNC / "README.md").read_text()
    version, integrity = re.search(r"version=(\S+)", script), re.search(r"integrity='(\S+)'", script)
    revision = re.search(r"revision=(\S+)", script)
    assert version
    assert integrity
    assert revision
    assert NOVNC.name == f"novnc-{version[1]}-{revision[1]}"
    assert integrity[1] in readme


def test_every_module_that_is_imported_is_there() -> None:
    scripts = [*OURS.glob("*.js"), *NOVNC.rglob("*.js")]
    imports = [(file, path) for file in scripts for path in re.findall(r'from ["\'](\..+?)["\']', file.read_text())]
    assert len(imports) > 50
    assert [(file.name, path) for file, path in imports if not (file.parent / path).resolve().is_file()] == []


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/static/vendor/novnc-1.7.0-1/core/rfb.js", True),
        ("/static/portal/console.0123456789ab.js", True),
        ("/static/portal/console.js", False),
        ("/static/vendor/README.md", False),
    ],
)
def test_what_has_a_version_or_a_hash_in_its_name_is_kept_for_good(url: str, kept: bool) -> None:
    assert bool(re.search(settings.WHITENOISE_IMMUTABLE_FILE_TEST, url)) == kept
