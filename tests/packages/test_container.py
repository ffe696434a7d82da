"""The Containerfile as it is written: no container engine is at hand where the tests run."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """A line of the Containerfile, with those that continue it."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    """The instructions of each stage; each begins with its FROM."""
    lines = [line for line in (ROOT / "Containerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[list[Instruction]] = []
    for line in filter(None, whole.splitlines()):
        name, _, text = line.partition(" ")
        assert name.isupper(), line
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, text))
    return found


def of(stage: list[Instruction], name: str) -> list[Instruction]:
    return [each for each in stage if each.name == name]


def test_both_stages_have_one_base_that_is_named_by_its_release(stages: list[list[Instruction]]) -> None:
    bases = [stage[0].words[0] for stage in stages]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-[a-z]+", bases[0])


def test_what_is_copied_is_there_and_is_let_into_the_build(stages: list[list[Instruction]]) -> None:
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {word for each in of(stages[0], "COPY") for word in each.words[:-1]}
    assert ignored[1] == "*"
    assert copied == let_in
    assert [name for name in copied if not (ROOT / name).exists()] == []
    forced = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*forced["packages"], *forced["force-include"]} <= copied, "the wheel needs it"


def test_the_libraries_are_held_against_their_hashes(stages: list[list[Instruction]]) -> None:
    installs = [each.text for each in of(stages[0], "RUN") if "pip install" in each.text]
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--no-deps" in each for each in installs)


def test_it_runs_as_a_user_without_rights_from_the_end_of_the_build_on(stages: list[list[Instruction]]) -> None:
    names = [each.name for each in stages[1]]
    (user,) = of(stages[1], "USER")
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", user.text)
    assert not {"RUN", "COPY", "ADD"} & set(names[names.index("USER") :])
    assert f"--uid {user.text.partition(':')[0]} " in of(stages[1], "RUN")[0].text


def test_its_folders_are_those_that_a_package_makes(stages: list[list[Instruction]]) -> None:
    made = set(re.findall(r"(?m)^d (\S+) ", (ROOT / "systemd" / "radius2fa.tmpfiles").read_text()))
    (run,) = of(stages[1], "RUN")
    installed = {
        word for part in re.findall(r"install -d ([^&]+)", run.text) for word in part.split() if word[0] == "/"
    }
    assert installed == made | {"/run/radius2fa"}


def test_nothing_of_what_built_it_comes_along_but_the_program(stages: list[list[Instruction]]) -> None:
    (copy,) = of(stages[1], "COPY")
    assert copy.text == "--from=build /opt/radius2fa /opt/radius2fa"
    assert "pip uninstall --yes pip" in of(stages[0], "RUN")[-1].text


def test_it_starts_the_server_and_is_asked_how_it_does(stages: list[list[Instruction]]) -> None:
    (entry,), (command,), (health,) = (of(stages[1], name) for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"))
    assert json.loads(entry.text) + json.loads(command.text) == ["radius2fa", "serve"]
    asked = json.loads(health.text.partition(" CMD ")[2])
    assert asked == ["radius2fa", "status", "--running"]


def test_the_user_and_its_group_have_the_numbers_that_it_runs_as(stages: list[list[Instruction]]) -> None:
    """Or it could not read the configuration, which `init` leaves to its group."""
    ((user, group),) = [each.text.split(":") for each in of(stages[-1], "USER")]
    (made,) = [each.text for each in of(stages[-1], "RUN")]
    assert re.findall(r"groupadd --gid (\d+) radius2fa", made) == [group]
    assert re.findall(r"useradd --uid (\d+) --gid (\d+) ", made) == [(user, group)]
