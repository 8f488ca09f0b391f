"""The directory: which organisations there are, what they are, and who works together."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from policies.decision import RecipientFacts
from policies.documents import UnfitDocument, anything, day, flag, many, maybe, one_of, record, text
from policies.vocabulary import OrganisationId, OrganisationType, Section

ORGANISATION_ID = r"[a-z0-9][a-z0-9-]{1,39}"
"""What the id of an organisation looks like, as a regular expression."""


class Secrecy(StrEnum):
    """What binds the staff to silence; only the first is professional secrecy (be-secrecy)."""

    PROFESSIONAL = "beroepsgeheim"
    DISCRETION = "discretieplicht"
    OFFICE = "ambtsgeheim"
    NONE = "none"


class AdapterKind(StrEnum):
    """How an organisation's own system is reached, if it has one."""

    CSV_INTAKE = "csv_intake"
    REST_INTAKE = "rest_intake"
    TOELEIDING_XML = "toeleiding_xml"
    CSV_DROP = "csv_drop"
    WEBHOOK = "webhook"
    DAVINCI_BATCH = "davinci_batch"
    SCHEDULING = "scheduling"
    NONE = "none"


class Role(StrEnum):
    """Whether it sends clients, receives them, or neither."""

    SOURCE_AND_RECIPIENT = "source_and_recipient"
    SOURCE = "source"
    RECIPIENT = "recipient"
    AGGREGATE_ONLY = "aggregate_only"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place of work. A sensitive one discloses something by its name: its origin is masked."""

    id: str
    name: str
    municipality_nis5: str
    hosted_by: str | None = None
    sensitive_location: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accreditation:
    """Whether it may take part, first and last day included."""

    status: str
    since: date | None
    until: date | None

    def holds(self, on: date) -> bool:
        """True on the days between, and never without a first day."""
        if self.status != "accredited" or self.since is None or on < self.since:
            return False
        return self.until is None or on <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class InszAuthorisation:
    """Whether it may process the national number (be-rrn-use), last day included."""

    granted: bool
    basis: str | None
    until: date | None

    def holds(self, on: date) -> bool:
        """True when granted and not past its last day."""
        return self.granted and (self.until is None or on <= self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmCodes:
    """How the Flemish access management names the organisation."""

    vo_doelgroepcode: str
    vo_orgcode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One entry of the directory. Nothing here is about a person."""

    id: OrganisationId
    name: str
    type: OrganisationType
    domain: str
    legal_form: str
    public_body: bool
    kbo_test: str
    type_partner: str | None
    sites: tuple[Site, ...]
    accreditation: Accreditation
    secrecy_regime: Secrecy
    insz_authorisation: InszAuthorisation
    hard_denies: tuple[Section, ...]
    data_location: str
    in_eea: bool
    authority_contacts: tuple[str, ...]
    adapter: AdapterKind
    role: Role
    short: str | None = None
    only_sections: tuple[Section, ...] | None = None
    acm: AcmCodes | None = None
    note: str | None = None
    successor: OrganisationId | None = None
    """What became of it, if it was merged into another: then it takes part no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A member from the first day up to, and without, the day it left."""

    org: OrganisationId
    from_: date
    until: date | None

    def holds(self, on: date) -> bool:
        """A member that leaves loses its access the same day."""
        return self.from_ <= on and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partnership:
    """Organisations that a grant may name together, as they stood on one day."""

    id: str
    name: str
    programme: str
    start: date
    end: date
    members: tuple[Membership, ...]
    always_members: tuple[OrganisationId, ...] = ()
    note: str | None = None

    def members_at(self, on: date) -> frozenset[OrganisationId]:
        """The members on a day; nobody before the start or after the last day."""
        if not self.start <= on <= self.end:
            return frozenset()
        return frozenset(each.org for each in self.members if each.holds(on))


@dataclass(frozen=True, slots=True)
class Directory:
    """All organisations and partnerships, in the order of the document."""

    organisations: tuple[Organisation, ...]
    partnerships: tuple[Partnership, ...]


def read_organisation(document: object) -> Organisation:
    """One organisation from its document; raises `UnfitDocument` with the place of the fault."""
    return _organisation(document, "")


def read_directory(document: object) -> Directory:
    """The whole directory from its document.

    Raises `UnfitDocument` when a member is missing, unknown or of another kind, when two
    entries have one id, or when a partnership or a successor is not in the directory.
    """
    directory = _directory(document, "")
    ids = [each.id for each in directory.organisations]
    ids_of_partnerships = [each.id for each in directory.partnerships]
    for place, names in (("organisations", ids), ("partnerships", ids_of_partnerships)):
        if len(set(names)) < len(names):
            raise UnfitDocument(place, "two entries have one id")
    for index, each in enumerate(directory.partnerships):
        if not {*each.always_members, *(member.org for member in each.members)} <= set(ids):
            raise UnfitDocument(f"partnerships[{index}]", "names an unknown organisation")
    for index, known in enumerate(directory.organisations):
        if known.successor == known.id or (known.successor and known.successor not in ids):
            raise UnfitDocument(f"organisations[{index}].successor", "is no other organisation")
    return directory


def recipient_facts(organisation: Organisation, on: date) -> RecipientFacts:
    """What a decision must know of an asking organisation on a day."""
    only = organisation.only_sections
    return RecipientFacts(
        type=organisation.type,
        accredited=organisation.successor is None and organisation.accreditation.holds(on),
        in_eea=organisation.in_eea,
        insz_authorised=organisation.insz_authorisation.holds(on),
        secrecy=organisation.secrecy_regime is Secrecy.PROFESSIONAL,
        hard_denies=frozenset(organisation.hard_denies),
        only_sections=None if only is None else frozenset(only),
    )


_org = one_of(lambda value: OrganisationId(text(ORGANISATION_ID)(value, "")))
_section = one_of(Section)
_word = text()

_site = record(
    Site,
    {"id": _word, "name": _word, "municipality_nis5": text(r"[0-9]{5}")},
    {"hosted_by": maybe(_word), "sensitive_location": flag},
)
_organisation = record(
    Organisation,
    {
        "id": _org,
        "name": _word,
        "type": one_of(OrganisationType),
        "domain": text(
            "education|local_policy|welfare|employment|migration_integration"
            "|justice|oversight|other"
        ),
        "legal_form": _word,
        "public_body": flag,
        "kbo_test": text(r"0999[0-9]{6}"),
        "type_partner": maybe(text("KBI|VDAB|VMSW|OCMW|CAW|CLB|LLB|OND|PSD")),
        "sites": many(_site),
        "accreditation": record(
            Accreditation,
            {
                "status": text("accredited|pending|withdrawn|none"),
                "since": maybe(day),
                "until": maybe(day),
            },
        ),
        "secrecy_regime": one_of(Secrecy),
        "insz_authorisation": record(
            InszAuthorisation, {"granted": flag, "basis": maybe(_word), "until": maybe(day)}
        ),
        "hard_denies": many(_section),
        "data_location": text("[A-Z]{2}"),
        "in_eea": flag,
        "authority_contacts": many(_word),
        "adapter": one_of(AdapterKind),
        "role": one_of(Role),
    },
    {
        "short": _word,
        "only_sections": maybe(many(_section)),
        "acm": maybe(
            record(AcmCodes, {"vo_doelgroepcode": text("BUR|GID|LB|OV|EA"), "vo_orgcode": _word})
        ),
        "note": _word,
        "successor": maybe(_org),
    },
)
_partnership = record(
    Partnership,
    {
        "id": text(ORGANISATION_ID),
        "name": _word,
        "programme": _word,
        "start": day,
        "end": day,
        "members": many(record(Membership, {"org": _org, "from": day, "until": maybe(day)})),
    },
    {"always_members": many(_org), "note": _word},
)
_directory = record(
    lambda organisations, partnerships=(), **_: Directory(organisations, partnerships),
    {"organisations": many(_organisation)},
    {
        "partnerships": many(_partnership),
        "version": _word,
        "reference_date": day,
        "notice": _word,
        "authorities": anything,
        "joint_case_pilot": anything,
    },
)
