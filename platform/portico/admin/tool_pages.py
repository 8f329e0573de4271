"""A connection's tools: the table with switches, and the page on which one tool is explained and tried."""

import json
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse

from audit.models import AuditEvent
from connectors import services
from connectors.asking import CapabilityMissing
from connectors.base import ToolSpec
from connectors.call_info import CallInfo
from connectors.catalogue import catalogue_of, explain, tool_subject
from connectors.models import Connection
from connectors.pipeline import ServiceUnavailable, UnknownTool, call_tool, new_request_id
from connectors.results import Audio, EmbeddedResource, Image, ResourceLink, Text, ToolResult
from connectors.snapshot import ConnectionView, TenantSnapshot, ToolEntry, load
from mcp_endpoint.token_cost import tool_tokens
from portico.admin.acting import MYSELF, actor_of, caller_for, run_as_choices
from portico.admin.base import SERVICE_ERRORS
from portico.admin.current import seat_of
from portico.admin.schema_form import ArgumentsForm
from portico.admin.token_cost import cost_of
from tenants.principals import Caller, PrincipalKind, Role

if TYPE_CHECKING:
    from portico.admin.connections import ConnectionAdmin

SWITCH_RULES = {"tool switch", "toolset switch", "new tool", "default"}
DEFAULT, ON, OFF = "", "on", "off"


def hint_badges(spec: ToolSpec) -> list[tuple[str, str]]:
    """What the tool does, as labels: (text, colour)."""
    first = (
        ("destroys", "bad")
        if spec.hints.destructive
        else ("writes", "warn")
        if spec.writes
        else ("reads", "ok")
    )
    labels = [first]
    if spec.hints.idempotent and spec.writes:
        labels.append(("repeatable", ""))
    if spec.hints.open_world:
        labels.append(("outside system", ""))
    if spec.long_running:
        labels.append(("takes long", ""))
    return labels


def is_on(snapshot: TenantSnapshot, view: ConnectionView, entry: ToolEntry) -> tuple[bool, str]:
    """Whether the switches leave a tool on, and the rule that says so; rights of callers play no part."""
    somebody = Caller(snapshot.tenant, view.ref.id, PrincipalKind.SERVICE_ACCOUNT, "", Role.OWNER)
    decision = explain(snapshot, somebody, view, tool_subject(entry))
    step = next(step for step in decision.steps if step.rule in SWITCH_RULES)
    return step.allowed, step.rule


def tools_view(admin: "ConnectionAdmin", request: HttpRequest, connection: Connection) -> HttpResponse:
    """Show the table; on POST store what differs."""
    snapshot = load(connection.tenant_id)
    view = snapshot.connection(connection.slug)
    if view is None:
        messages.error(request, f"The connector {connection.connector} is not installed.")
        return HttpResponseRedirect(admin.url("change", connection.pk))
    toolsets = _toolsets(snapshot, view)
    if request.method == "POST":
        if not admin.has_change_permission(request, connection):
            raise PermissionDenied
        admin.demand_same_tenant(request)
        try:
            with transaction.atomic():
                _store_switches(request, connection, toolsets)
        except SERVICE_ERRORS as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Saved: tools of {connection}")
        return HttpResponseRedirect(admin.url("tools", connection.pk))
    return admin.page(
        request,
        "portico/tools.html",
        title=f"Tools of {connection}",
        original=connection,
        connection=connection,
        toolsets=toolsets,
        on_count=sum(1 for group in toolsets for tool in group["tools"] if tool["on"]),
        tool_count=sum(len(group["tools"]) for group in toolsets),
        tokens=sum(tool["tokens"] for group in toolsets for tool in group["tools"] if tool["on"]),
        cost=cost_of(snapshot),
        back_url=admin.url("change", connection.pk),
        writable=admin.has_change_permission(request, connection),
    )


def _toolsets(snapshot: TenantSnapshot, view: ConnectionView) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in _entries(snapshot, view):
        on, rule = is_on(snapshot, view, entry)
        own = view.rules.tools.get(entry.spec.name)
        groups.setdefault(entry.spec.toolset, []).append(
            {
                "entry": entry,
                "spec": entry.spec,
                "on": on,
                "new": rule == "new tool",
                "own": own is not None,
                "lacks": view.rules.lacking.get(entry.spec.name),
                "hints": hint_badges(entry.spec),
                "tokens": tool_tokens(entry.name, entry.spec),
                "summary": entry.spec.description.strip().split("\n\n")[0],
            }
        )
    result = []
    for name, tools in groups.items():
        switch = view.rules.toolsets.get(name)
        setting = DEFAULT if switch is None else ON if switch else OFF
        result.append({"name": name, "setting": setting, "tools": tools})
    return result


def _entries(snapshot: TenantSnapshot, view: ConnectionView) -> list[ToolEntry]:
    return [entry for entry in snapshot.tools.values() if entry.connection.ref.id == view.ref.id]


def _store_switches(request: HttpRequest, connection: Connection, toolsets: list[dict[str, Any]]) -> None:
    """Store each switch that was moved; a tool moved back to what holds without it loses its own switch."""
    actor = actor_of(request)
    read_only = request.POST.get("read_only") == "on"
    if read_only != connection.read_only:
        services.connection_update(connection, actor=actor, read_only=read_only)
    for group in toolsets:
        wanted = request.POST.get(f"set_{group['name']}", group["setting"])
        if wanted != group["setting"]:
            state = {ON: True, OFF: False}.get(wanted)
            services.switch_set(connection, actor=actor, toolset=group["name"], enabled=state)
        inherited = {ON: True, OFF: False}.get(wanted)
        for tool in group["tools"]:
            name = tool["spec"].name
            if request.POST.get(f"reset_{name}"):
                services.switch_set(connection, actor=actor, tool=name, enabled=None)
                continue
            on = request.POST.get(f"tool_{name}") == "on"
            if on == tool["on"]:
                continue
            base = inherited if inherited is not None else tool["spec"].default_on and not tool["new"]
            services.switch_set(connection, actor=actor, tool=name, enabled=None if on == base else on)


def tool_view(
    admin: "ConnectionAdmin", request: HttpRequest, connection: Connection, tool: str
) -> HttpResponse:
    """Explain who may use a tool; on POST call it through the pipeline."""
    snapshot = load(connection.tenant_id)
    view = snapshot.connection(connection.slug)
    entry = next((e for e in _entries(snapshot, view) if e.spec.name == tool), None) if view else None
    if view is None or entry is None:
        raise Http404
    seat = seat_of(request)
    choices = run_as_choices(seat)
    flat = [value for value, label in choices if isinstance(label, str)]
    flat += [value for _, group in choices if not isinstance(group, str) for value, _ in group]
    chosen = request.POST.get("run_as") or request.GET.get("as") or (flat[0] if flat else "")
    caller = caller_for(request, chosen)
    if caller is None and chosen and chosen != MYSELF:
        raise Http404
    form = ArgumentsForm(
        entry.spec.input_schema,
        choices,
        request.POST if request.method == "POST" else None,
        initial={"run_as": chosen},
    )
    outcome = None
    confirm = caller is not None and entry.name in catalogue_of(snapshot, caller).confirm
    if request.method == "POST":
        if not seat.is_member or not admin.has_view_permission(request, connection):
            raise PermissionDenied("You are no member of this tenant, so you call none of its tools.")
        admin.demand_same_tenant(request)
        if caller is not None and form.is_valid():
            outcome = _run(caller, entry, form.arguments(), confirmed=form.cleaned_data["confirm"])
    return admin.page(
        request,
        "portico/tool.html",
        title=entry.spec.title,
        original=connection,
        connection=connection,
        entry=entry,
        spec=entry.spec,
        hints=hint_badges(entry.spec),
        form=form,
        choices=choices,
        chosen=chosen,
        caller=caller,
        decision=explain(snapshot, caller, view, tool_subject(entry)) if caller else None,
        outcome=outcome,
        confirm=confirm,
        back_url=admin.url("tools", connection.pk),
        schema=json.dumps(entry.spec.input_schema, indent=2, ensure_ascii=False),
    )


def _run(caller: Caller, entry: ToolEntry, arguments: dict[str, Any], *, confirmed: bool) -> dict[str, Any]:
    """Call the tool as any client would and say what came of it."""
    request_id = new_request_id()
    started = time.perf_counter()
    outcome: dict[str, Any] = {"arguments": json.dumps(arguments, indent=2, ensure_ascii=False)}
    try:
        info = CallInfo(request_id=request_id, confirmed=confirmed)
        result = async_to_sync(call_tool)(caller, entry.name, arguments, info=info)
        outcome |= {"ok": not result.is_error, "parts": shown_parts(result), "cache": result.cache}
    except UnknownTool:
        refusal = "This caller may not use the tool; to them it looks as if it did not exist."
        outcome |= {"ok": False, "parts": [{"text": refusal}]}
    except CapabilityMissing:
        text = "This tool needs a client that speaks MCP: it asks its client, or runs as a task."
        outcome |= {"ok": False, "parts": [{"text": text}]}
    except ServiceUnavailable as error:
        outcome |= {"ok": False, "parts": [{"text": str(error)}]}
    outcome["milliseconds"] = f"{(time.perf_counter() - started) * 1000:.1f}"
    event = (
        AuditEvent.objects.for_tenant(caller.tenant.id).filter(request_id=request_id).order_by("-seq").first()
    )
    outcome["event_url"] = _event_url(event.pk) if event else ""
    return outcome


def _event_url(key: int) -> str:
    try:
        return reverse("admin:audit_auditevent_change", args=[key])
    except NoReverseMatch:
        return ""


def shown_parts(result: ToolResult) -> list[dict[str, str]]:
    """A result for people: pieces with ``text``, an ``image`` (data URL), or a ``link``."""
    parts: list[dict[str, str]] = []
    if result.structured is not None:
        parts.append({"text": json.dumps(result.structured, indent=2, ensure_ascii=False, default=str)})
    for part in result.content:
        if isinstance(part, Text):
            if result.structured is None:
                parts.append({"text": _pretty(part.text)})
        elif isinstance(part, Image):
            parts.append({"text": f"[image, {part.mime_type}, {len(part.data) * 3 // 4} bytes]"})
        elif isinstance(part, Audio):
            parts.append({"text": f"[sound, {part.mime_type}, {len(part.data) * 3 // 4} bytes]"})
        elif isinstance(part, ResourceLink):
            parts.append({"text": f"{part.title or part.name} {part.uri} ({part.mime_type})"})
        elif isinstance(part, EmbeddedResource):
            parts.append({"text": part.contents.text or f"[{part.contents.mime_type}] {part.contents.uri}"})
    return parts


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
