"""Salesforce's standard objects, as far as the double knows them: fields, prefixes of ids, rules."""

from typing import Any, Final

# name: (type, may be set, required)
_COMMON: Final = {
    "Id": ("id", False, False), "CreatedDate": ("datetime", False, False),
    "LastModifiedDate": ("datetime", False, False), "SystemModstamp": ("datetime", False, False),
    "OwnerId": ("reference", True, False), "IsDeleted": ("boolean", False, False),
    "CreatedById": ("reference", False, False), "LastModifiedById": ("reference", False, False),
    "LastActivityDate": ("date", False, False), "LastViewedDate": ("datetime", False, False),
    "LastReferencedDate": ("datetime", False, False),
}  # fmt: skip


def _more(names: str) -> dict[str, str]:
    """What else Salesforce sends of a whole record, mostly empty (Object Reference, "Standard Objects")."""
    return dict.fromkeys(names.split(), "string")


def _address(kind: str) -> dict[str, str]:
    parts = "Street State PostalCode Country Latitude Longitude GeocodeAccuracy Address"
    return _more(" ".join(f"{kind}{part}" for part in parts.split()))


_ACCOUNT: Final = {
    **_address("Billing"), "ShippingCity": "string", **_address("Shipping"),
    **_more("ParentId MasterRecordId Fax PhotoUrl Sic SicDesc NumberOfEmployees Ownership TickerSymbol Rating Site Jigsaw "
            "JigsawCompanyId CleanStatus AccountSource DunsNumber Tradestyle NaicsCode NaicsDesc YearStarted"),
}  # fmt: skip
_CONTACT: Final = {
    "MailingCity": "string", **_address("Mailing"), "OtherCity": "string", **_address("Other"),
    **_more("MasterRecordId Salutation Fax MobilePhone HomePhone OtherPhone AssistantPhone AssistantName ReportsToId "
            "Department LeadSource Birthdate Description EmailBouncedReason EmailBouncedDate PhotoUrl Jigsaw CleanStatus"),
}  # fmt: skip
_OPPORTUNITY: Final = {
    "IsClosed": "boolean", "IsWon": "boolean",
    **_more("Description ExpectedRevenue TotalOpportunityQuantity Type NextStep LeadSource ForecastCategory "
            "ForecastCategoryName CampaignId HasOpportunityLineItem Pricebook2Id FiscalQuarter FiscalYear ContactId"),
}  # fmt: skip


def _fields(required: tuple[str, ...] = (), **more: str) -> dict[str, tuple[str, bool, bool]]:
    return _COMMON | {name: (kind, True, name in required) for name, kind in more.items()}


OBJECTS: Final[dict[str, dict[str, tuple[str, bool, bool]]]] = {
    "Account": _fields(("Name",), Name="string", Industry="picklist", Phone="phone", Website="url", Type="picklist",
                       AnnualRevenue="currency", BillingCity="string", Description="textarea", AccountNumber="string", **_ACCOUNT),
    "User": _fields((), Name="string", Email="email", Username="string"),
    "Contact": _fields(("LastName",), Name="string", FirstName="string", LastName="string", Email="email", Phone="phone", Title="string",
                       AccountId="reference", **_CONTACT),
    "Lead": _fields(("LastName", "Company"), Name="string", Title="string", IsConverted="boolean", FirstName="string", LastName="string", Company="string", Email="email",
                    Status="picklist", LeadSource="picklist"),
    "Opportunity": _fields(("Name", "StageName", "CloseDate"), Name="string", StageName="picklist", CloseDate="date",
                           Amount="currency", AccountId="reference", Probability="percent", **_OPPORTUNITY),
    "Case": _fields((), CaseNumber="string", IsClosed="boolean", Subject="string", Status="picklist", Priority="picklist", Origin="picklist", Description="textarea",
                    AccountId="reference", ContactId="reference"),
    "Task": _fields((), IsClosed="boolean", Subject="string", Status="picklist", Priority="picklist", ActivityDate="date", Description="textarea",
                    WhoId="reference", WhatId="reference"),
    "Event": _fields((), ActivityDate="date", Subject="string", StartDateTime="datetime", DurationInMinutes="int", Description="textarea",
                     WhoId="reference", WhatId="reference"),
    "ContentVersion": _fields(("PathOnClient", "VersionData"), Title="string", PathOnClient="string", VersionData="base64",
                              FirstPublishLocationId="reference") | {"ContentDocumentId": ("reference", False, False)},
    "Invoice__c": _fields((), Name="string", Number__c="string", Amount__c="currency", Account__c="reference"),
    "Report": _COMMON | dict.fromkeys(("Name", "FolderName", "Format", "LastRunDate"), ("string", False, False)),
}  # fmt: skip
PREFIXES: Final = {"Account": "001", "Contact": "003", "Lead": "00Q", "Opportunity": "006", "Case": "500",
                   "Task": "00T", "Event": "00U", "User": "005",
                   "ContentVersion": "068", "Report": "00O", "Invoice__c": "a00"}  # fmt: skip
REFERENCES: Final = {
    "OwnerId": ["User"], "CreatedById": ["User"], "LastModifiedById": ["User"], "AccountId": ["Account"], "ContactId": ["Contact"], "WhoId": ["Contact", "Lead"],
    "Account__c": ["Account"], "WhatId": ["Account", "Opportunity", "Case"],
}  # fmt: skip
# object: relationship: (its object, the field there that refers back)
CHILDREN: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Account": {"Contacts": ("Contact", "AccountId"), "Opportunities": ("Opportunity", "AccountId"),
                "Cases": ("Case", "AccountId"), "Tasks": ("Task", "WhatId"),
                "Invoices__r": ("Invoice__c", "Account__c")},
    "Contact": {"Cases": ("Case", "ContactId"), "Tasks": ("Task", "WhoId")},
}  # fmt: skip
EXTERNAL: Final = {"Account": "AccountNumber", "Invoice__c": "Number__c"}  # what an upsert may name
TITLES: Final = {"Case": "CaseNumber", "Task": "Subject", "Event": "Subject", "ContentVersion": "Title"}
VALUES: Final = {
    "Status": ["New", "Working", "Open", "Closed", "Not Started", "In Progress", "Completed"],
    "Priority": ["High", "Normal", "Medium", "Low"], "StageName": ["Prospecting", "Negotiation", "Closed Won", "Closed Lost"],
}  # fmt: skip


def reference(relationship: str) -> str:
    """The field that a parent's relationship goes by: ``AccountId`` of ``Account``, ``Account__c`` of ``Account__r``."""
    return f"{relationship[:-3]}__c" if relationship.endswith("__r") else f"{relationship}Id"


def relationship(field: str) -> str:
    """The other way round."""
    return f"{field[:-3]}__r" if field.endswith("__c") else field.removesuffix("Id")


def brief(base: str, name: str) -> dict[str, Any]:
    """An object as the list of objects tells it."""
    return {
        "name": name, "label": name, "labelPlural": f"{name}s", "keyPrefix": PREFIXES[name], "custom": name.endswith("__c"),
        "createable": True, "updateable": True, "deletable": True, "queryable": True, "searchable": name != "Report",
        "urls": {"sobject": f"{base}/{name}", "describe": f"{base}/{name}/describe", "rowTemplate": f"{base}/{name}/{{ID}}"},
    }  # fmt: skip


def described(base: str, name: str) -> dict[str, Any]:
    """An object with its fields."""
    fields = [
        {
            "name": field, "label": field, "type": kind, "length": 255, "nillable": not required, "createable": settable,
            "updateable": settable, "custom": field.endswith("__c"), "defaultedOnCreate": field == "OwnerId", "calculated": False,
            "nameField": field == TITLES.get(name, "Name"), "externalId": EXTERNAL.get(name) == field, "idLookup": field == "Id", "referenceTo": REFERENCES.get(field, []),
            "relationshipName": relationship(field) if kind == "reference" else None,
            "picklistValues": [{"value": value, "label": value, "active": True, "defaultValue": False} for value in VALUES.get(field, [])] if kind == "picklist" else [],
        }
        for field, (kind, settable, required) in OBJECTS[name].items()
    ]  # fmt: skip
    children = [
        {"relationshipName": relation, "childSObject": child, "field": field, "cascadeDelete": False}
        for relation, (child, field) in CHILDREN.get(name, {}).items()
    ]
    return {**brief(base, name), "fields": fields, "childRelationships": children, "recordTypeInfos": []}
