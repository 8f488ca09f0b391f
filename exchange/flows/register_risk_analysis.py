"""Register a risk analysis: what it allows counts from the commit on, and it never changes."""

import json
from collections.abc import Mapping
from typing import Any

from audit.events import AdminChanged
from exchange import directory
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.risk_analysis import RISK_ANALYSIS, read_risk_analysis
from policies.vocabulary import Reason


def register_risk_analysis(tx: Transaction, document: Mapping[str, Any]) -> Outcome[str]:
    """Keep a complete analysis; gives back its name. The same again changes nothing.

    A name that is registered with another text is refused: a new text is a new version.
    """
    name = read_risk_analysis(document).id
    plain = json.loads(json.dumps(document))
    known = directory.documents(tx.connection, shard=tx.shard, kind=RISK_ANALYSIS).get(name)
    if known == plain:
        return Outcome(name)
    if known is not None:
        reason = Reason.CONTENT_REFUSED
        return Outcome(Refused(reason, told=reason, details=(name,)))
    new = {name: plain}
    directory.put_documents(tx.connection, shard=tx.shard, kind=RISK_ANALYSIS, new=new)
    directory.moved(tx.connection, shard=tx.shard)
    return Outcome(name, (AdminChanged(what=RISK_ANALYSIS, act="registered", id=name),))
