"""The witness of the demonstration: another organisation's, in this process, asked over HTTP."""

import socket
import threading
from pathlib import Path

from audit.checkpoints import Checkpoint, NoteKey, checkpoint_in, open_note
from audit.notes import read_vkey
from audit.witness import Witness, WitnessServer, witness_key

NAME = "witness.ligo.example"
_HOST = "127.0.0.1"


class Neighbour:
    """A witness that knows one log; it begins to answer when it is told which."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.key: NoteKey = witness_key(folder, NAME)
        with socket.create_server((_HOST, 0)) as free:
            self._port: int = free.getsockname()[1]
        self._server: WitnessServer | None = None

    def policy(self) -> Path:
        """The file that makes it the log's witness."""
        path = self._folder / "witnesses"
        url = f"http://{_HOST}:{self._port}/"
        path.write_text(f"witness ligo {self.key.vkey.text} {url}\nquorum ligo\n", "utf-8")
        return path

    def begin(self, vkeys: list[str]) -> None:
        """Sign what this log says of itself, from now on."""
        logs = [key for key in map(read_vkey, vkeys) if key is not None]
        witness = Witness(self._folder / "witness.db", self.key, logs)
        self._server = WitnessServer((_HOST, self._port), witness)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def opened(self, note: str) -> Checkpoint | None:
        """The head in a note, if this very witness signed it."""
        return checkpoint_in(open_note(note, [self.key.vkey]))

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.witness.close()
