"""The guides for operators of one machine, one after the other, as somebody does it who looks after it for a year."""

import pathlib

from conftest import boot
from operators import Operator

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guides" / "operators"
ONE_MACHINE = ["install", "back-up", "restore", "upgrade", "rotate"]
# Followed in test_reference.py, on the machines that it is about.
OTHERS = ["several-nodes"]


def test_the_guides_for_one_machine(tmp_path, package, next_package):
    with (
        boot("DEBIAN_SERVICES", tmp_path, name="auth", address="10.20.0.10") as auth,
        boot("DEBIAN_SERVICES", tmp_path, name="other", address="10.20.0.20") as other,
    ):
        auth.take(package)
        other.take(package)
        auth.take(next_package, "new")
        operator = Operator(auth, other)
        for name in ONE_MACHINE:
            operator.follow(FOLDER / f"{name}.md")


def test_every_guide_is_followed_and_can_be_found():
    names = {path.stem for path in FOLDER.glob("*.md")} - {"README"}
    places = [FOLDER / "README.md", FOLDER.parents[1] / "operations.md"]

    assert names == {*ONE_MACHINE, *OTHERS}
    for place in places:
        text = place.read_text()
        assert [name for name in names if f"{name}.md)" not in text] == [], place
    assert "(operators/README.md)" in (FOLDER.parent / "README.md").read_text()
    assert "(docs/guides/operators/README.md)" in (FOLDER.parents[2] / "README.md").read_text()
