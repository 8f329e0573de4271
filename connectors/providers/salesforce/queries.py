"""SOQL put together from arguments: quoting by Salesforce's rules, checked names, and advice on mistakes."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final
from urllib.parse import quote

from connectors.errors import InvalidInput
from connectors.providers.salesforce.soql import condition, demand_reading
from connectors.providers.salesforce.types import NAME, PATH

# "Quoted String Escape Sequences" of the SOQL and SOSL Reference; the same as simple_salesforce.format,
# which cannot be imported without the whole package (0.8 s).
_ESCAPES: Final = str.maketrans(
    {
        "\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
    }
)  # fmt: skip
_LIKE: Final = str.maketrans({"%": "\\%", "_": "\\_"})
_ORDER: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,5}( +(ASC|DESC))?( +NULLS +(FIRST|LAST))?",
    re.IGNORECASE,
)
_ORDER_AGGREGATE: Final = re.compile(
    r"(COUNT|COUNT_DISTINCT|SUM|AVG|MIN|MAX)\( *[A-Za-z][A-Za-z0-9_.]{0,300} *\)"
    r"( +(ASC|DESC))?( +NULLS +(FIRST|LAST))?",
    re.IGNORECASE,
)
_AGGREGATE: Final = re.compile(
    r"(COUNT\(\)|(COUNT|COUNT_DISTINCT|SUM|AVG|MIN|MAX)\( *[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,5} *\))"
    r"( +[A-Za-z][A-Za-z0-9_]{0,24})?",
    re.IGNORECASE,
)
_WRITING: Final = re.compile(r"\s*(UPDATE|DELETE|INSERT|UPSERT|MERGE|CREATE|DROP|ALTER)\b", re.IGNORECASE)
_STAR: Final = re.compile(r"\bSELECT\s+(?:[A-Za-z_]\w*\.)?\*", re.IGNORECASE)
_TEXTS: Final = re.compile(r"'(?:[^'\\]|\\.)*'")
_LIKES: Final = re.compile(r"\bLIKE\s+('(?:[^'\\]|\\.)*')", re.IGNORECASE)


def quoted(text: str) -> str:
    """A text as a literal of SOQL."""
    return f"'{text.translate(_ESCAPES)}'"


def containing(text: str) -> str:
    """The literal of a LIKE that finds the text anywhere, taken as it is."""
    return f"'%{text.translate(_ESCAPES).translate(_LIKE)}%'"


def escaped_words(text: str) -> str:
    """Words to search for with the characters that SOSL reserves taken as they are; * at a word's end stays."""
    return re.sub(r"(?<!\\)[?&|!{}\[\]()^~:\"'+\-]|\*(?=\S)", r"\\\g<0>", text)


def names(fields: Iterable[str], *, dotted: bool = True) -> list[str]:
    """Fields as they may stand in a query or a path. Raises InvalidInput for anything else."""
    found = [field.strip() for field in fields]
    for field in found:
        if not re.fullmatch(PATH if dotted else NAME, field):
            star = "Name the fields; " if "*" in field else ""
            path = " A parent's field comes with salesforce_query." if re.fullmatch(PATH, field) else ""
            raise InvalidInput(
                f"{field[:80]!r} is no field's name here.",
                code="INVALID_FIELD",
                hint=f"{star}salesforce_get_record_fields lists them.{path}",
            )
    return found


def once(fields: Iterable[str]) -> list[str]:
    """The fields, each once: to Salesforce ``id`` and ``Id`` are one, which it refuses to read twice."""
    return list({field.lower(): field for field in reversed(list(fields))}.values())[::-1]


def day(text: str) -> str:
    """A date of SOQL. Raises InvalidInput for anything else."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise InvalidInput(
            f"{text[:20]!r} is no date.", code="bad_date", hint="Such as 2030-01-31."
        ) from None


def ordered(order_by: str, *, aggregates: bool = False) -> str:
    """The fields (and ``aggregates``) after ORDER BY. Raises InvalidInput for anything but those and directions."""
    parts = [part.strip() for part in order_by.split(",")]
    if not all(_ORDER.fullmatch(part) or (aggregates and _ORDER_AGGREGATE.fullmatch(part)) for part in parts):
        raise InvalidInput(
            f"This is no order: {order_by[:100]!r}.",
            code="bad_order",
            hint="Such as: Name ASC, CreatedDate DESC",
        )
    return ", ".join(parts)


def ordered_totals(order_by: str, aggregates: Iterable[str]) -> str:
    """:func:`ordered` for totals; the name that a total was given, by which SOQL cannot order, is its total again."""
    named = {
        match[2].lower(): match[1]
        for one in aggregates
        if (match := re.fullmatch(r"(.+\))\s+(\w+)", one.strip()))
    }
    parts = (part.strip().partition(" ") for part in ordered(order_by, aggregates=True).split(","))
    return ", ".join(f"{named.get(name.lower(), name)}{gap}{rest}" for name, gap, rest in parts)


def aggregate(text: str) -> str:
    """An aggregate of a SELECT. Raises InvalidInput for anything else."""
    if not _AGGREGATE.fullmatch(text.strip()):
        raise InvalidInput(
            f"This is no aggregate: {text[:100]!r}.",
            code="bad_aggregate",
            hint="Such as COUNT(), COUNT(Id) n, SUM(Amount) total, AVG, MIN, MAX, COUNT_DISTINCT.",
        )
    return text.strip()


def query_of(
    object: str,
    fields: Sequence[str],
    conditions: Iterable[str],
    *,
    order_by: str = "",
    limit: int = 0,
    offset: int = 0,
    group_by: Sequence[str] = (),
    having: str = "",
) -> str:
    """SOQL of checked parts; what callers wrote themselves went through :func:`condition` and :func:`ordered`."""
    query = f"SELECT {', '.join(fields)} FROM {object}"  # noqa: S608  all parts are checked
    if whole := " AND ".join(conditions):
        query += f" WHERE {whole}"
    if group_by:
        query += f" GROUP BY {', '.join(group_by)}"
    if having:
        query += f" HAVING {condition(having)}"
    if order_by:
        query += f" ORDER BY {order_by}"
    if limit:
        query += f" LIMIT {limit}"
    return f"{query} OFFSET {offset}" if offset else query


def demand_query(query: str) -> str:
    """A query without a semicolon at its end. Raises InvalidInput for the mistakes that are certain."""
    query = query.strip().rstrip("; \t\r\n")
    if found := _WRITING.match(query):
        raise InvalidInput(
            f"SOQL only reads: there is no {found[1].upper()}.",
            code="MALFORMED_QUERY",
            hint="Change records with salesforce_create_record, salesforce_update_record, salesforce_upsert_record "
            "or salesforce_delete_record.",
        )
    if not re.match(r"SELECT\b", query, re.IGNORECASE):
        raise InvalidInput(
            "A query begins with SELECT.",
            code="MALFORMED_QUERY",
            hint="salesforce_search takes words, or FIND as sosl."
            if query[:4].upper() == "FIND"
            else "Such as: SELECT Id, Name FROM Account. salesforce_list_objects lists the objects.",
        )
    if _STAR.search(_TEXTS.sub("''", query)):
        raise InvalidInput(
            "SOQL has no SELECT *.",
            code="MALFORMED_QUERY",
            hint="Name the fields (salesforce_get_record_fields lists them), or SELECT FIELDS(STANDARD); "
            "FIELDS(ALL) needs a LIMIT of at most 200.",
        )
    if len(quote(query)) > MAX_ADDRESS:
        raise InvalidInput(
            "The query is too long for Salesforce, which takes it as part of an address.",
            code="query_too_long",
            hint="Ask in parts, or name what belongs together with a subquery: WHERE AccountId IN (SELECT Id FROM "
            "Account WHERE ...).",
        )
    demand_reading(query)
    return query


MAX_ADDRESS: Final = 16_000  # characters; Salesforce takes addresses of 16,384
_SAID: Final = (
    (
        "understand relationship",
        "Relationships have names of their own: children's are mostly plural (SELECT Id FROM Contacts), custom ones "
        "end with __r. salesforce_get_record_fields lists them.",
    ),
    ("must be grouped or aggregated", "GROUP BY all fields that stand beside totals."),
    ("duplicate field selected", "Name each field once."),
    (
        "can not be filtered",
        "Long texts have no place in a condition: salesforce_search finds words in them.",
    ),
    (
        "queryMore",
        "Totals come at once or not at all: narrow them down with WHERE or HAVING, or add LIMIT 2000.",
    ),
    ("must be of type dateTime", "It takes a moment: 2030-01-31T00:00:00Z, TODAY, LAST_N_DAYS:30."),
)


def advice(query: str, said: str = "") -> str:
    """What is probably wrong with a query that Salesforce refused; empty where nothing stands out."""
    bare = _TEXTS.sub("''", query)
    checks = (
        (r"\bIS\s+(NOT\s+)?NULL\b", "SOQL compares with null: Phone = null, Phone != null."),
        (r"\"", "Texts stand in single quotes; \\' is a quote inside."),
        (r"==|&&|\|\|", "SOQL writes =, AND, OR."),
        (r"\bJOIN\b", "SOQL has no JOIN: Account.Name is a parent's field, (SELECT Id FROM Contacts) are children."),
        (r"\bSELECT\s+DISTINCT\b", "SOQL has no DISTINCT: GROUP BY the field, or COUNT_DISTINCT(field)."),
        (r"\bCOUNT\(\s*\*\s*\)", "Write COUNT() or COUNT(Id)."),
        (r"\b(BETWEEN|CASE\s+WHEN|UNION)\b", "SOQL has no BETWEEN, CASE or UNION: use >= and <=, or two queries."),
        (r"\bNOT\s+LIKE\b", "Write (NOT Name LIKE 'A%')."),
        (r"\b(NOW|GETDATE|CURRENT_DATE|DATEADD)\s*\(", "Dates are TODAY, LAST_N_DAYS:30, 2030-01-31."),
        (r"--|/\*", "SOQL has no comments: leave them out."),
        (r";", "One query at a time, and no semicolon."),
        (r"`|\[", "Names stand without quotes and brackets."),
        (r"\bSELECT\s+TOP\b", "SOQL has no TOP: LIMIT 10 stands at the end."),
        (r"\bLIMIT\s+[0-9]+\s*,", "Write LIMIT 10 OFFSET 5."),
        (r"\bILIKE\b", "SOQL has no ILIKE: LIKE takes no notice of case."),
        (r"\bFIELDS\(\s*(ALL|CUSTOM)\s*\)(?!.*\bLIMIT\s)", "FIELDS(ALL) needs a LIMIT of at most 200."),
        (r"\bAS\b", "SOQL has no AS: only totals have other names, such as COUNT(Id) n."),
    )  # fmt: skip
    for pattern, hint in checks:
        if re.search(pattern, bare, re.IGNORECASE | re.DOTALL):
            return hint
    if "'" in bare.replace("''", ""):
        return "A quote inside of a text is \\': Name = 'O\\'Hara'."
    for part, hint in _SAID:
        if part in said:
            return hint
    if re.search(r"'[0-9]{4}-[0-9]{2}-[0-9]{2}(T[^']*)?'", query) and "date" in said.lower():
        return "Dates stand without quotes: CloseDate > 2030-01-31."
    if found := re.search(r"No such column '([\w.]{1,80})' on (?:entity|sobject of type) '?(\w{1,80})", said):
        return _missing(found[1], found[2])
    if found := re.search(r"sObject type '(\w{1,80})' is not supported", said):
        name = found[1]
        custom = "" if name.endswith("__c") else f" A custom object is {name}__c."
        return f"salesforce_list_objects(search='{name}') finds the API name.{custom}"
    if "Bind variables" in said or "lacks its quotes" in said:
        return "Put texts in single quotes: Name = 'Acme'."
    return ""


def _missing(column: str, object: str) -> str:
    custom = (
        "" if "__" in column or "." in column else f" A custom field is {column}__c, its parent {column}__r."
    )
    return f"salesforce_get_record_fields(sobject_type='{object}') lists the fields.{custom}"


def nothing_found(query: str) -> str:
    """Why a query may have found nothing although there is something; empty where nothing stands out."""
    if any("%" not in text and "_" not in text for text in _LIKES.findall(query)):
        return "LIKE without % finds exact matches alone: LIKE '%word%' finds it anywhere."
    if re.search(r"=\s*'null'", query, re.IGNORECASE):
        return "= 'null' looks for the word; write = null for an empty field."
    if re.search(r"=\s*'[^']*%[^']*'", query):
        return "% has a meaning with LIKE alone."
    return ""
