import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from consent import register
from consent.content import grant_document
from consent.notices import Notice
from consent.register import NoticeChanged, Withdrawn
from policies.decision import Refused
from policies.vocabulary import ClientId, ConsentId, ConsentState, GrantId, OrganisationId, Reason
from tests.consent.builders import BASE_NOTICE, CLIENT, HOLDER, NOON, VDAB, Desk, grant, terms

TWO = [grant(), grant(purpose="P3", recipient="org:ocmw-kortrijk")]
NOT_FOUND = Refused(Reason.CONSENT_NOT_FOUND)
STRANGER = OrganisationId("leerwinkel-wvl")


def history(desk: Desk, consent: ConsentId) -> list[tuple[int, str, str | None]]:
    rows = desk.connection.execute(
        text("SELECT version, state, via FROM consent_change WHERE consent = :c ORDER BY version"),
        {"c": consent},
    )
    return [(version, state, via) for version, state, via in rows]


def test_a_consent_given_is_shown_to_whom_it_was_given(desk: Desk) -> None:
    consent = desk.give(grants=TWO)

    (view,) = register.consents_of(
        desk.connection, shard=1, client=CLIENT, controller=HOLDER, sealing=desk.sealing
    )

    assert (view.consent, view.state, view.given_at) == (consent, ConsentState.GIVEN, NOON)
    assert [each.id for each in view.terms.grants] == ["g1", "g2"]
    assert grant_document(view.terms.grants[0])["recipient"] == f"org:{VDAB}"


def test_a_controller_sees_nothing_of_another_ones_consents(desk: Desk) -> None:
    desk.give()

    others = register.consents_of(
        desk.connection, shard=1, client=CLIENT, controller=STRANGER, sealing=desk.sealing
    )
    own = register.consents_of(desk.connection, shard=1, client=CLIENT, sealing=desk.sealing)

    assert others == []
    assert [each.controller for each in own] == [HOLDER]


def test_a_record_of_noes_alone_is_a_refusal(desk: Desk) -> None:
    consent = desk.give(grants=[], refused=[{"purpose": "P2", "recipient": "any"}])

    assert history(desk, consent) == [(1, "refused", None)]
    assert desk.withdraw(consent) == Refused(Reason.ALREADY_WITHDRAWN)


def test_a_withdrawal_ends_every_grant_and_says_who_lost_what(desk: Desk) -> None:
    consent = desk.give(grants=[*TWO, grant()])

    withdrawn = desk.withdraw(consent, via="sms_link")

    assert withdrawn == Withdrawn(
        client=CLIENT,
        state=ConsentState.WITHDRAWN,
        ended=(GrantId("g1"), GrantId("g2"), GrantId("g3")),
        lost=(("org:vdab-gent", "P2"), ("org:ocmw-kortrijk", "P3")),
    )
    assert history(desk, consent) == [(1, "given", None), (2, "withdrawn", "sms_link")]


def test_a_withdrawal_is_final_and_happens_once(desk: Desk) -> None:
    consent = desk.give()
    desk.withdraw(consent)

    assert desk.withdraw(consent) == Refused(Reason.ALREADY_WITHDRAWN)
    assert len(history(desk, consent)) == 2


def test_a_part_withdrawn_leaves_the_consent_narrowed(desk: Desk) -> None:
    consent = desk.give(grants=TWO)

    narrowed = desk.withdraw(consent, grants=["g1"])

    assert (narrowed.state, narrowed.ended) == (ConsentState.NARROWED, ("g1",))
    assert desk.withdraw(consent, grants=["g1"]) == Refused(Reason.ALREADY_WITHDRAWN)
    assert desk.withdraw(consent, grants=["g1", "g2"]).state == ConsentState.WITHDRAWN


@pytest.mark.parametrize("grants", [[], ["g3"], ["g1", "g3"]])
def test_a_grant_that_is_not_there_cannot_be_withdrawn(desk: Desk, grants: list[str]) -> None:
    consent = desk.give(grants=TWO)

    assert desk.withdraw(consent, grants=grants) == Refused(
        Reason.CONTENT_REFUSED, details=("grants",)
    )
    assert desk.ended() == [None]


def test_to_anybody_else_there_is_no_such_consent(desk: Desk) -> None:
    consent = desk.give()
    somebody = ClientId("018f7b1e-0000-4000-8000-000000000002")

    assert desk.withdraw(consent, controller=STRANGER) == NOT_FOUND
    assert desk.withdraw(consent, controller=register.NOBODYS, client=somebody) == NOT_FOUND
    assert desk.withdraw(ConsentId("c-9999")) == NOT_FOUND
    assert desk.withdraw(consent, controller=register.NOBODYS) == NOT_FOUND
    assert desk.ended() == [None]


def test_the_client_withdraws_without_the_controller(desk: Desk) -> None:
    consent = desk.give()

    withdrawn = desk.withdraw(consent, controller=register.NOBODYS, client=CLIENT)

    assert withdrawn.state == ConsentState.WITHDRAWN


def test_a_consent_of_another_shard_is_another_consent(desk: Desk) -> None:
    consent = desk.give()
    elsewhere = Desk(desk.connection, sealing=desk.sealing, shard=2)

    assert elsewhere.withdraw(consent) == NOT_FOUND
    assert elsewhere.ended() == []


def test_an_id_is_given_once(desk: Desk) -> None:
    desk.give()

    with pytest.raises(IntegrityError), desk.connection.begin_nested():
        Desk(desk.connection).give()


def test_a_hold_is_put_on_and_taken_off(desk: Desk) -> None:
    consent = desk.give()
    way = {"shard": 1, "consent": consent, "at": NOON, "sealing": desk.sealing}

    held = register.suspend(desk.connection, **way)  # type: ignore[arg-type]
    again = register.suspend(desk.connection, **way)  # type: ignore[arg-type]

    assert not isinstance(held, Refused)
    assert held == again
    assert (held.state, held.suspended, held.version) == (ConsentState.GIVEN, True, 2)
    assert desk.ended() == [Reason.CONSENT_SUSPENDED]

    register.resume(desk.connection, **way)  # type: ignore[arg-type]

    assert desk.ended() == [None]
    assert [via for _, _, via in history(desk, consent)] == [None, "suspended", "resumed"]


def test_a_consent_on_hold_can_still_be_withdrawn(desk: Desk) -> None:
    consent = desk.give()
    register.suspend(desk.connection, shard=1, consent=consent, at=NOON, sealing=desk.sealing)

    desk.withdraw(consent)

    assert desk.ended() == [Reason.CONSENT_WITHDRAWN]
    assert register.resume(
        desk.connection, shard=1, consent=consent, at=NOON, sealing=desk.sealing
    ) == Refused(Reason.ALREADY_WITHDRAWN)


def test_what_does_not_exist_cannot_be_held(desk: Desk) -> None:
    missing = ConsentId("c-9999")

    held = register.suspend(
        desk.connection, shard=1, consent=missing, at=NOON, sealing=desk.sealing
    )

    assert held == NOT_FOUND


def test_only_its_controller_declares_a_consent_invalid_and_only_once(desk: Desk) -> None:
    consent = desk.give()

    def invalidate(controller: OrganisationId) -> object:
        return register.invalidate(
            desk.connection,
            shard=1,
            consent=consent,
            controller=controller,
            via="review",
            at=NOON,
            sealing=desk.sealing,
        )

    assert invalidate(STRANGER) == NOT_FOUND
    assert not isinstance(invalidate(HOLDER), Refused)
    assert invalidate(HOLDER) == Refused(Reason.NO_CONSENT)
    assert desk.ended() == [Reason.NO_CONSENT]
    assert desk.withdraw(consent) == Refused(Reason.NO_CONSENT)


def test_a_receipt_is_given_again_to_controller_and_client_only(desk: Desk) -> None:
    consent = ConsentId("c-receipt")
    register.give(
        desk.connection,
        shard=1,
        consent=consent,
        client=CLIENT,
        controller=HOLDER,
        terms=terms(),
        at=NOON,
        sealing=desk.sealing,
        receipt="e30.e30.c2ln",
    )
    desk.withdraw(consent)

    def receipt(**asker: object) -> object:
        return register.receipt_of(
            desk.connection,
            shard=1,
            consent=consent,
            sealing=desk.sealing,
            **asker,  # type: ignore[arg-type]
        )

    assert receipt(controller=HOLDER) == "e30.e30.c2ln"
    assert receipt(client=CLIENT) == "e30.e30.c2ln"
    assert receipt(controller=STRANGER) == NOT_FOUND


def test_a_consent_without_a_receipt_has_none(desk: Desk) -> None:
    consent = desk.give()

    assert (
        register.receipt_of(
            desk.connection, shard=1, consent=consent, controller=HOLDER, sealing=desk.sealing
        )
        == NOT_FOUND
    )


def test_nothing_of_what_a_consent_says_stands_in_a_plain_column(desk: Desk) -> None:
    consent = desk.give(
        evidence={"method": "oral_witnessed", "witness": "Els Peeters"},
        denials=[{"sections": ["health"], "recipient": "any"}],
    )
    desk.withdraw(consent)

    stored = b""
    for table in ("consent", "consent_change"):
        for row in desk.connection.execute(text(f"SELECT * FROM {table}")):  # noqa: S608
            stored += b"|".join(v if isinstance(v, bytes) else str(v).encode() for v in row)

    assert b"withdrawn" in stored
    for said in (b"Peeters", b"oral_witnessed", b"health", b"vdab"):
        assert said not in stored


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE consent SET state = 'given'",
        "UPDATE consent SET version = version + 1",
        "UPDATE consent SET controller = 'leerwinkel-wvl'",
        "UPDATE consent SET renewed_at = renewed_at + 1",
        "UPDATE consent SET given_at = given_at - 1",
    ],
)
def test_a_row_altered_behind_the_registers_back_decides_nothing(
    desk: Desk, tampering: str
) -> None:
    desk.withdraw(desk.give())

    desk.connection.execute(text(tampering))

    with pytest.raises(InvalidTag):
        desk.facts()


@pytest.mark.parametrize(
    "unfit",
    [
        "UPDATE consent SET state = 'sleeping'",
        "UPDATE consent SET version = 0",
        "UPDATE consent SET controller = ''",
        "UPDATE consent_change SET via = 'a very long story about how the client came to say so'",
        "UPDATE consent_change SET state = 'sleeping'",
        "UPDATE notice SET sha256 = 'short'",
        "DELETE FROM consent",
    ],
)
def test_the_database_itself_refuses_what_does_not_fit(desk: Desk, unfit: str) -> None:
    desk.give()
    register.keep_notice(desk.connection, shard=1, notice=BASE_NOTICE)

    with pytest.raises(IntegrityError), desk.connection.begin_nested():
        desk.connection.execute(text(unfit))


def test_a_notice_is_put_into_use_once_and_never_changes(desk: Desk) -> None:
    reworded = Notice("N-P2", "2.1", "nl", "b" * 64, substantive=False, text="other words")

    assert register.keep_notice(desk.connection, shard=1, notice=BASE_NOTICE)
    assert not register.keep_notice(desk.connection, shard=1, notice=BASE_NOTICE)
    with pytest.raises(NoticeChanged):
        register.keep_notice(desk.connection, shard=1, notice=reworded)

    library = register.notices_in(desk.connection, shard=1)
    assert library.known("N-P2", "2.1", "nl") == BASE_NOTICE.sha256
    assert library.text("N-P2", "2.1", "nl") == BASE_NOTICE.text
