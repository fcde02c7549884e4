"""The configuration as it is used: a YAML file, then the environment, then every check, and all problems at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidecar.config import environment
from sidecar.config.alerting import written_urls
from sidecar.config.checks import errors, warnings
from sidecar.config.credentials import written_secrets
from sidecar.config.document import Document
from sidecar.config.findings import Finding
from sidecar.config.model import Config
from sidecar.config.report import ConfigError, Problem
from sidecar.config.syntax import parse
from sidecar.config.validation import Judgement, judge

_LARGEST: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    config: Config
    warnings: tuple[Problem, ...]
    """What can be used and is probably not meant, or is dangerous."""


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration of `path`, overridden by `environ`. Raises `ConfigError` with everything that is wrong."""
    return read(path, environ).config


def read(path: Path, environ: Mapping[str, str]) -> Loaded:
    """The configuration with its warnings. Raises `ConfigError` with everything that is wrong."""
    document = _document(path)
    environment.apply(environ, document)
    judgement = judge(document) if document.readable else Judgement(None)
    problems = [*document.problems, *judgement.problems, *written_secrets(document), *written_urls(document)]
    if judgement.config is not None:
        problems += _placed(errors(judgement.config), document, judgement)
    if problems or judgement.config is None:
        raise ConfigError(path, _in_order(problems, document.source))
    doubtful = _placed(warnings(judgement.config), document, judgement)
    return Loaded(judgement.config, tuple(_in_order(doubtful, document.source)))


def _document(path: Path) -> Document:
    document = Document(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        document.give_up(None, "there is no such file", "the path of a configuration file")
    except IsADirectoryError:
        document.give_up(None, "this is a folder", "the path of a configuration file")
    except PermissionError:
        document.give_up(None, "this user may not read the file", "a file that the sidecar's user can read")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name is possible"
        document.give_up(None, f"the file cannot be read ({reason})", "the path of a configuration file")
    else:
        return _decoded(content, document)
    return document


def _decoded(content: bytes, document: Document) -> Document:
    if len(content) > _LARGEST:
        document.give_up(None, f"the file has more than {_LARGEST} bytes", "a configuration file")
        return document
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        document.give_up(line, "the file is not in UTF-8", "the file saved as UTF-8")
        return document
    return parse(text, document.source)


def _placed(findings: list[Finding], document: Document, judgement: Judgement) -> list[Problem]:
    """The findings with their places, but for those that rest on a value which was refused."""
    return [
        document.problem(finding.path, finding.wrong, finding.right)
        for finding in findings
        if not any(judgement.touches(path) for path in (finding.path, *finding.rests_on))
    ]


def _in_order(problems: list[Problem], source: str) -> list[Problem]:
    """Each problem once: those of the file line by line, then the environment's."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.source != source, problem.line or 0))
