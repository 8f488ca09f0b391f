"""Where the chapters are played: a running broker, those who call it, and its log."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from httpx2 import Client, Response

from audit import log
from audit.log import Entry
from audit.opening import open_part
from audit.tree import leaf_hash
from exchange.admin_socket import VERBS
from exchange.demo.parties import Party
from exchange.demo.telling import Teller
from exchange.samples import Sample
from exchange.services import SHARD, Services
from policies.vocabulary import Section

EVERYTHING = sorted(set(Section) - {Section.NATID})
"""Every section but the national number, which only few may even ask for."""

Answer = Mapping[str, Any]


class NotAsTold(Exception):
    """A call that should have gone well did not. The text holds no value of the answer."""


@dataclass(frozen=True, slots=True)
class Known:
    """A sample client as its holder knows it: the holder's handle, and the consent."""

    sample: Sample
    handle: str
    consent: str


class Stage:
    """Plays what organisations do; every step is one call over HTTP."""

    def __init__(
        self, services: Services, http: Client, samples: Mapping[str, Sample], teller: Teller
    ) -> None:
        self._services, self._http = services, http
        self.samples = dict(samples)
        self._parties: dict[str, Party] = {}
        self.teller = teller
        self.released: Answer | None = None
        """Where Leerwinkel's last release stands in the log, as it was told."""
        self.withdrawn: str | None = None
        """The handover whose client withdrew, once that chapter is told."""

    def party(self, organisation: str) -> Party:
        """The application of an organisation, registered when it is first needed."""
        if organisation not in self._parties:
            self._parties[organisation] = Party(self._services, self._http, organisation)
        return self._parties[organisation]

    def entered(self, sample_id: str) -> Known:
        """A sample client registered by its holder, with summary and consent."""
        sample = self.samples[sample_id]
        holder = self.party(sample.holder)
        body = {"identity": dict(sample.identity), "reference": sample.id}
        handle = good(holder.post("/v1/clients", body))["client"]
        good(holder.put(f"/v1/clients/{handle}/summary", {"sections": sample.sections}))
        if sample.flags:
            good(holder.put(f"/v1/clients/{handle}/flags", {"flags": sample.flags}))
        given = good(holder.post(f"/v1/clients/{handle}/consents", sample.consent))
        return Known(sample, handle, given["consent"])

    def push(self, known: Known, recipient: str, purpose: str, **more: Any) -> Response:
        """The holder offers the client to a partner, asking to share everything."""
        body = {
            "client": known.handle,
            "recipient": f"org:{recipient}",
            "purpose": purpose,
            "reason_code": "other",
            "sections": EVERYTHING,
        }
        return self.party(known.sample.holder).post("/v1/handovers", body | more)

    def step(self, recipient: str, handover: str, step: str, **body: Any) -> Answer:
        """The recipient answers the handover: `acceptance`, `first-contact`, `closure`."""
        return good(self.party(recipient).post(f"/v1/handovers/{handover}/{step}", body))

    def envelope(self, organisation: str, handover: str) -> Answer:
        return good(self.party(organisation).get(f"/v1/handovers/{handover}"))

    def inbox(self, organisation: str) -> list[str]:
        """The handovers that an organisation has accepted, newest first."""
        page = good(self.party(organisation).get("/v1/handovers?box=inbox&state=accepted"))
        return [each["handover"] for each in page["items"]]

    def query(self, recipient: str, purpose: str, **whom: str) -> Response:
        """The recipient asks for everything about a handover or a client."""
        body = {
            "purpose": purpose,
            "sections": EVERYTHING,
            "end_user": {"id": "u-17", "function": "counsellor"},
            "case_reference": "demo-1",
        }
        return self.party(recipient).post("/v1/summaries/query", body | whom)

    def public(self, path: str) -> Answer:
        """What anybody may read, as data."""
        return good(self._http.get(path, headers={"Accept": "application/json"}))

    def operated(self, verb: str, asked: Mapping[str, Any]) -> Answer:
        """What an operator does at the terminal; its last line."""
        *_, done = VERBS[verb](self._services, asked)
        return done

    def head(self) -> str:
        """The log's last head, as anybody may fetch it."""
        return self._http.get("/v1/audit/checkpoint").raise_for_status().text

    def proof_of_release(self) -> tuple[Entry, list[bytes]]:
        """A release that Leerwinkel was answered, and its proof as Leerwinkel may fetch it.

        Raises `NotAsTold` when there is none, or when it is not the entry it was told of.
        """
        if self.released is None:
            raise NotAsTold("nothing was released")
        path = f"/v1/audit/entries/{self.released['index']}"
        entry = good(self.party("leerwinkel-wvl").get(path))
        if leaf_hash(b64decode(entry["leaf"])).hex() != self.released["leaf_hash"]:
            raise NotAsTold("the entry is another one")
        proven = Entry(entry["index"], bytes.fromhex(self.released["leaf_hash"]))
        return proven, [b64decode(each) for each in entry["proof"]]

    def log_size(self) -> int:
        with self._services.database.reading() as connection:
            return log.head(connection, shard=SHARD).size

    def logged_since(self, start: int) -> list[dict[str, Any]]:
        """The entries from `start` on: each leaf, with what is sealed beside it opened."""
        found = []
        with self._services.database.reading() as connection:
            for index, leaf in log.entries(connection, shard=SHARD, start=start):
                entry: dict[str, Any] = json.loads(leaf)
                for part in log.parts_of(connection, shard=SHARD, index=index):
                    entry |= json.loads(open_part(entry, part, self._services.keys))
                found.append(entry | {"index": index, "hash": leaf_hash(leaf).hex()})
        return found

    def kinds(self) -> Counter[str]:
        """How many entries of each kind the whole log holds."""
        with self._services.database.reading() as connection:
            leaves = log.entries(connection, shard=SHARD)
            return Counter(json.loads(leaf)["k"] for _, leaf in leaves)


def good(response: Response) -> Answer:
    """The body of an answer that says yes. Raises `NotAsTold`."""
    if not response.is_success:
        raise NotAsTold(f"{response.request.method} was answered with {response.status_code}")
    body: Answer = response.json()
    return body
