"""Functions of the user in a run: their way to worker processes, and whether they have changed."""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from usmicro.errors import UsageError
from usmicro.model.user_function import definition_of, error_words, function_name

if TYPE_CHECKING:
    from usmicro.anatomy.user_masks import MaskFunction
    from usmicro.foci.user_detector import DetectorFunction

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_SCRIPT = "__main__"
"""Name of the module of the script itself. A worker process has another one."""


class UserFunction(Generic[FunctionT]):
    """A function of the user, as a part of a job.

    Another process gets the name of the function, or a pickled copy if it was not given by name. It
    loads the function when a job needs it. A job can therefore be sent to a process that cannot
    import the function, and the run ends with a message that says why.
    """

    def __init__(self, function: FunctionT, argument: str, *, name: str = "") -> None:
        """Prepare a function for a run.

        Parameters
        ----------
        function : function
        argument : str
            Argument of `usmicro.run` that gave it, for messages.
        name : str
            "module:function" if it was given by name.
        """
        self.argument = argument
        self.label = function_name(function)
        """Name of the function with its module, for run.json."""
        self._function: FunctionT | None = function
        self._given_name = name
        self._pickled = b""
        self._obstacle = ""
        """Why the function cannot be sent to other processes; empty if it can."""
        if name:
            if name.partition(":")[0] == _SCRIPT:
                self._obstacle = (
                    "is defined in the script itself, which worker processes do not run"
                )
        else:
            try:
                self._pickled = pickle.dumps(function)
            except Exception as error:  # an object of the user may raise anything
                self._obstacle = f"cannot be sent to worker processes ({error})"
            if _SCRIPT.encode() in self._pickled:
                self._obstacle = (
                    "is defined in the script itself, which worker processes do not run"
                )
        modules = dict.fromkeys((definition_of(function).__module__, name.partition(":")[0]))
        self._modules = tuple(module for module in modules if module)
        self._folders = tuple(dict.fromkeys(map(_import_folder, self._modules)))
        self._source = _source_hash(self._modules)
        self.hash = self._hash()
        """Hash of the function, its parameters and its source files, for --resume."""

    def _hash(self) -> str:
        """Return a hash, a random one if it cannot be known whether a former run used the same.

        That is so for a function without a source file, and for one that can neither be pickled nor
        imported by name.
        """
        if not self._source or not (self._pickled or self._given_name):
            return secrets.token_hex()
        identity = self._pickled or self._given_name.encode()
        return hashlib.sha256(identity + bytes.fromhex(self._source)).hexdigest()

    def check_importable(self) -> None:
        """Check that worker processes can import the function.

        Raises
        ------
        UsageError
            If they cannot.
        """
        if self._obstacle:
            raise UsageError(
                f"{self.argument}: {self.label} {self._obstacle}; "
                "define it at the top of a module of its own and import it, or give workers=1"
            )

    def load(self) -> FunctionT:
        """Return the function; a process to which it was sent imports it.

        Raises
        ------
        UsageError
            If its module cannot be imported, or is not the one of the process that began the run.
        """
        if self._function is not None:
            return self._function
        try:
            function: FunctionT = _loaded(self._given_name, self._pickled, self._folders)
        except Exception as error:  # a module of the user may raise anything
            words = str(error) if isinstance(error, UsageError) else error_words(error)
            raise UsageError(
                f"{self.argument}: a worker process cannot import the function ({words}); "
                "give workers=1, or put its module where the machines of the cluster find it"
            ) from error
        if _source_hash(self._modules) != self._source:
            raise UsageError(
                f"{self.argument}: a worker process found another version of "
                f"{' or '.join(self._modules)} than the one that began the run; "
                "leave the file unchanged during the run, and have the same one on all machines"
            )
        self._function = function
        return function

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process gets: everything but the function itself."""
        return {**self.__dict__, "_function": None}


def masks_of(
    given: str | os.PathLike[str] | MaskFunction | None,
) -> tuple[Path | None, UserFunction[MaskFunction] | None]:
    """Return the folder of masks, or the function, that the caller of a run gave.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if given is None:
        return None, None
    if isinstance(given, str | os.PathLike):
        return Path(given), None
    if not callable(given):
        raise UsageError(
            "masks: expected a folder or a function of a frame and its spacing, "
            f"found {type(given).__name__}; masks of one scan go to usmicro.analyze"
        )
    return None, UserFunction(given, "masks")


def detector_of(given: str | DetectorFunction | None) -> UserFunction[DetectorFunction] | None:
    """Return the detector that the caller of a run gave as a function or by name.

    Raises
    ------
    UsageError
        If it is neither, or cannot be imported.
    """
    if given is None:
        return None
    from usmicro.foci.user_detector import checked_detector, load_detector

    if isinstance(given, str):
        return UserFunction(load_detector(given), "detector", name=given)
    checked_detector(given)
    return UserFunction(given, "detector")


@lru_cache(maxsize=8)
def _loaded(name: str, pickled: bytes, folders: tuple[str, ...]) -> Any:
    """Import a function, once for all jobs of a process.

    `folders` come last in the search for its module: on a cluster they may be of another machine.
    """
    from usmicro.foci.user_detector import load_detector

    sys.path += [folder for folder in folders if folder and folder not in sys.path]
    return load_detector(name) if name else pickle.loads(pickled)


def _source_file(module: str) -> Path | None:
    """Return the source file of an imported module; None if it has none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).absolute() if file else None


def _import_folder(module: str) -> str:
    """Return the folder from which a module was imported; empty if it has no source file."""
    file = _source_file(module)
    if file is None:
        return ""
    below = len(module.split(".")) - (file.stem != "__init__")
    return str(file.parents[below]) if below < len(file.parents) else ""


def _source_hash(modules: tuple[str, ...]) -> str:
    """Return a hash of the source files of modules; empty if one has none or cannot be read."""
    digest = hashlib.sha256()
    for module in modules:
        file = _source_file(module)
        try:
            content = file.read_bytes() if file is not None else b""
        except OSError:
            content = b""
        if not content:
            return ""
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
