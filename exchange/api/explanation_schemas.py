"""What explanations and evaluations look like as answers, in JSON Schema."""

from audit.leaf import KINDS
from exchange.api.answer_schemas import CONSENT_ID, INSTANT
from exchange.api.shapes import SAID, TEXT, TRUTH, WHOLE, Schema, many, maybe, more, whole, word
from policies.explaining import LANGUAGES, Audience
from policies.vocabulary import Reason

_STEP = whole(
    gate=TEXT, held=TRUTH, code=maybe(TEXT), text=SAID, law=many(whole(key=TEXT, place=TEXT))
)
_EXPLANATION = more(
    whole(
        language=word(*LANGUAGES),
        outcome=word("permit", "deny", "none"),
        headline=SAID,
        why=maybe(SAID),
        next=maybe(SAID),
        steps=many(_STEP),
        grounds=whole(
            agreement=maybe(TEXT),
            basis=maybe(TEXT),
            consents=many(CONSENT_ID),
            grants=many(TEXT),
            notices=many(TEXT),
        ),
        withheld=many(whole(why=TEXT, text=SAID, fields=many(TEXT))),
    ),
    **{"as": word(*Audience)},
)
EXPLAINED = whole(
    index=WHOLE,
    kind=word(*KINDS),
    time=INSTANT,
    gone=maybe(word("shredded", "expired", "lost", "unreadable")),
    text=maybe(SAID),
    explanation=maybe(_EXPLANATION),
)
_EVALUATED = whole(
    reason=maybe(word(*Reason)),
    trace=many(whole(gate=TEXT, code=maybe(TEXT))),
    released=many(TEXT),
    time=INSTANT,
    as_of=maybe(whole(then=SAID, now=SAID, past=SAID)),
    explanation=_EXPLANATION,
)
EVALUATION = whole(decision=TRUTH, context=_EVALUATED)
EVALUATIONS: Schema = {"anyOf": [EVALUATION, whole(evaluations=many(EVALUATION))]}
DECISION_POINT = whole(
    policy_decision_point=SAID, access_evaluation_endpoint=SAID, access_evaluations_endpoint=SAID
)
