"""A headless Chromium with real pointer and key events, over the DevTools protocol."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
MISSING = "no Chromium is installed: apt-get install chromium"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT = 60.0
"""Seconds to wait for an answer of the browser."""
KEYS = {
    **{"Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, "Delete": 46},
    **{"PageUp": 33, "PageDown": 34, "End": 35, "Home": 36},
    **{"ArrowRight": 39, "ArrowDown": 40, ",": 188, ".": 190},
}
CTRL, SHIFT = 2, 8
"""Modifiers of a key."""
TYPED = {"Enter": "\r"}


class Chromium:
    """One tab of a browser."""

    def __init__(self) -> None:
        assert BROWSER is not None, MISSING
        from_us, self._to = os.pipe()
        self._from, to_us = os.pipe()

        def connect() -> None:  # Chromium reads commands from 3 and answers on 4
            for end, high, low in ((from_us, 103, 3), (to_us, 104, 4)):
                os.dup2(end, high)
                os.dup2(high, low)

        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = [
            BROWSER,
            *OPTIONS,
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            command,
            preexec_fn=connect,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._read, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.resize(1400, 1000)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        os.write(
            self._to,
            json.dumps({"id": self._number, "method": method, "params": given, **session}).encode()
            + b"\0",
        )
        while (message := self._next()).get("id") != self._number:
            self.events.append(message)
        assert "error" not in message, (method, message["error"])
        return dict(message["result"])

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            read = os.read(self._from, 1 << 16)
            assert read, "Chromium has ended"
            self._read += read
        message, self._read = self._read.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, page: Path) -> None:
        """Go to a page and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the window, and whether the reader prefers a dark page."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, still])

    def get(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, which may be a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true: some events follow the input later."""
        deadline = time.monotonic() + TIMEOUT
        while not self.get(f"Boolean({expression})"):
            assert time.monotonic() < deadline, f"still not true: {expression}"
            time.sleep(0.01)

    def key(self, key: str, *, times: int = 1, ctrl: bool = False) -> None:
        """Press and release a key; a capital letter with Shift."""
        text = TYPED.get(key, key if len(key) == 1 and not ctrl else "")
        modifiers = (CTRL if ctrl else 0) + (SHIFT if len(key) == 1 and key.isupper() else 0)
        held = {
            "key": key,
            "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper())),
            "modifiers": modifiers,
        }
        for _ in range(times):
            self.call(
                "Input.dispatchKeyEvent", type="keyDown", **held, **({"text": text} if text else {})
            )
            self.call("Input.dispatchKeyEvent", type="keyUp", **held)

    def point(self, selector: str) -> tuple[float, float]:
        """Scroll to an element, if need be, and move the pointer to its middle."""
        middle = """(element) => {
          element.scrollIntoViewIfNeeded();
          const { x, y, width, height } = element.getBoundingClientRect();
          return [x + width / 2, y + height / 2];
        }"""
        x, y = self.get(f"({middle})(document.querySelector({json.dumps(selector)}))")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        return x, y

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        self.click_at(*self.point(selector))

    def click_at(self, x: float, y: float, *, times: int = 1) -> None:
        """Click at a position of the window; twice is a double click."""
        for number in range(1, times + 1):
            self._mouse("mousePressed", x, y, clickCount=number)
            self._mouse("mouseReleased", x, y, clickCount=number)

    def drag(self, *path: tuple[float, float]) -> None:
        """Press at the first position of a path, move along it, and release at its end."""
        self._mouse("mouseMoved", *path[0])
        self._mouse("mousePressed", *path[0], clickCount=1)
        for x, y in path[1:]:
            self._mouse("mouseMoved", x, y, buttons=1)
        self._mouse("mouseReleased", *path[-1], clickCount=1)

    def _mouse(self, kind: str, x: float, y: float, **given: Any) -> None:
        button = "none" if kind == "mouseMoved" and not given else "left"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, **given)

    def type(self, text: str) -> None:
        """Type a text into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def choose_file(self, selector: str, file: Path) -> None:
        """Choose a file in a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def download(self, selector: str, folder: Path) -> Path:
        """Click on what starts a download and return the file, once it is complete."""
        before = set(folder.iterdir())
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        deadline = time.monotonic() + TIMEOUT
        while True:
            fresh = [file for file in folder.iterdir() if file not in before]
            if fresh and not fresh[0].name.endswith(".crdownload"):
                return fresh[0]
            assert time.monotonic() < deadline, "nothing was downloaded"
            time.sleep(0.02)

    def console_messages(self) -> list[dict[str, Any]]:
        """Return the messages and errors on the console since the page was opened."""
        self.get("new Promise((done) => setTimeout(done))")
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event for event in self.events if event["method"] in kinds]

    def picture(self) -> bytes:
        """Return the window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(TIMEOUT)
        for end in (self._to, self._from):
            os.close(end)
        self._profile.cleanup()
