"""One window at a time: two would take the camera from each other and overwrite each other's settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_MS = 2000
"""How long a window that is open has to answer; one that hangs does not keep another from opening."""


class Single(QObject):
    """Finds the window that is open with the same settings' file, or lets others find this one.

    Attributes:
        asked: the program was started once more.
    """

    asked = Signal()

    def __init__(self, settings_file: Path) -> None:
        super().__init__()
        self._name = f"greenroom-{hashlib.sha256(str(settings_file).encode()).hexdigest()[:16]}"
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)

    def shown_elsewhere(self) -> bool:
        """Whether a window is open already, which then comes forward; if none is, this one will be found."""
        for _ in range(2):  # another may begin to listen between the look and the try
            if self._reached():
                return True
            if self._server.listen(self._name):
                return False
        QLocalServer.removeServer(self._name)  # of one that ended without closing it, or hangs
        self._server.listen(self._name)
        return False

    def _reached(self) -> bool:
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(ANSWER_MS):
            return False
        return socket.bytesAvailable() > 0 or socket.waitForReadyRead(ANSWER_MS)

    def _answer(self) -> None:
        while self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            socket.disconnected.connect(socket.deleteLater)
            socket.write(b"here")
            socket.flush()
            socket.disconnectFromServer()
        self.asked.emit()
