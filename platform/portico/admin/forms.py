"""Form fields in the admin's look, and the few kinds of input that Portico has of its own."""

import json
import math
from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm
from unfold.widgets import (
    INPUT_CLASSES,
    TEXTAREA_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminNullBooleanSelectWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from common.limits import take, wait_for
from portico.admin.acting import address_of


class SignInForm(AuthenticationForm):
    """The login form: open to members who are not staff; an inactive user stays outside.

    Refused attempts are counted per address, so that passwords cannot be guessed at speed.
    """

    ATTEMPTS, SECONDS = 20, 300

    def clean(self) -> Any:
        """Check the pause before the password, and count what was refused."""
        key = ("sign-in", address_of(self.request))
        if wait := wait_for(self.ATTEMPTS, self.SECONDS, *key):
            raise ValidationError(
                f"Too many refused sign-ins from this address. Try again in {math.ceil(wait / 60)} min.",
                code="too_many",
            )
        try:
            return super().clean()
        except ValidationError:
            take(self.ATTEMPTS, self.SECONDS, *key)
            raise

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        """Active, and a superuser or a member of a tenant that is open to them."""
        from portico.admin.current import memberships_of

        if not user.is_active or not (user.is_superuser or memberships_of(user)):  # type: ignore[attr-defined]
            raise self.get_invalid_login_error()


class PorticoForm(forms.Form):
    """A form whose fields wear the admin's look.

    ``groups`` (title, help, field names) cuts it into sections; fields named nowhere come first.
    """

    groups: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)

    def sections(self) -> list[dict[str, Any]]:
        """For the template: ``title``, ``help`` and bound ``fields``."""
        grouped = {name for _, _, names in self.groups for name in names}
        rest = [self[name] for name in self.fields if name not in grouped]
        found = [{"title": "", "help": "", "fields": rest}] if rest else []
        for title, help_text, names in self.groups:
            fields = [self[name] for name in names if name in self.fields]
            if fields:
                found.append({"title": title, "help": help_text, "fields": fields})
        return found


def dress(form: forms.BaseForm) -> None:
    """Give each widget Unfold's classes; widgets that are Unfold's already stay."""
    for field in form.fields.values():
        widget = field.widget
        if widget.__class__.__module__.startswith("unfold"):
            continue
        classes: list[str] = []
        if isinstance(widget, forms.CheckboxInput):
            field.widget = UnfoldBooleanSwitchWidget(attrs=widget.attrs)
            field.widget.is_required = field.required
            continue
        if type(widget) is forms.Select:
            chosen = UnfoldAdminSelectWidget(attrs=widget.attrs, choices=widget.choices)
            chosen.is_required = field.required
            field.widget = chosen
        elif type(widget) is forms.NullBooleanSelect:
            field.widget = UnfoldAdminNullBooleanSelectWidget(attrs=widget.attrs)
        elif isinstance(widget, forms.Textarea):
            classes = TEXTAREA_CLASSES
        elif isinstance(widget, forms.widgets.Input) and not isinstance(widget, forms.HiddenInput):
            classes = INPUT_CLASSES
        if classes:
            widget.attrs["class"] = " ".join([*classes, widget.attrs.get("class", "")]).strip()


class LinesField(forms.CharField):
    """A list of short texts, one a line."""

    widget = forms.Textarea

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        super().__init__(widget=forms.Textarea(attrs={"rows": rows, "spellcheck": "false"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A list as lines."""
        return "\n".join(str(item) for item in value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:  # type: ignore[override]
        """The lines without blanks around them and without empty ones."""
        text = super().clean(value)
        return [line.strip() for line in text.splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as lists."""
        return self.clean(data) != list(initial or [])


class JSONArea(forms.CharField):
    """Any JSON value, in a text area."""

    def __init__(self, *, rows: int = 6, **kwargs: Any) -> None:
        attrs = {"rows": rows, "spellcheck": "false", "class": "ptc-mono"}
        super().__init__(widget=forms.Textarea(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A value as indented JSON; text that was typed stays as typed."""
        return (
            value
            if isinstance(value, str) or value is None
            else json.dumps(value, indent=2, ensure_ascii=False)
        )

    def clean(self, value: Any) -> Any:
        """The parsed value, None when empty. Raises ValidationError with line and column."""
        text = super().clean(value).strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValidationError(
                f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            ) from None
        except RecursionError:
            raise ValidationError("This JSON is nested too deeply.") from None


class SecretArea(forms.Textarea):
    """Several lines that are never sent back to the browser."""

    def format_value(self, value: Any) -> None:
        """Nothing, whatever was typed."""


class SecretField(forms.CharField):
    """A secret that is written and never shown: empty keeps what is stored."""

    def __init__(self, *, is_set: bool, multiline: bool = False, **kwargs: Any) -> None:
        self.is_set = is_set
        placeholder = "Set. Leave empty to keep it." if is_set else ""
        attrs = {"autocomplete": "new-password", "placeholder": placeholder, "spellcheck": "false"}
        widget: forms.Widget
        if multiline:
            widget = SecretArea(attrs={**attrs, "rows": 4})
        else:
            widget = UnfoldAdminPasswordWidget(attrs=attrs, render_value=False)
        kwargs.setdefault("strip", not multiline)
        super().__init__(widget=widget, **kwargs)


class LocalDateTimeField(forms.DateTimeField):
    """Date and time with the browser's own picker; UTC."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
        super().__init__(widget=widget, input_formats=formats, **kwargs)


class ManyField(forms.MultipleChoiceField):
    """Several of a few choices, as check boxes."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget


__all__ = [
    "JSONArea",
    "LinesField",
    "LocalDateTimeField",
    "ManyField",
    "PorticoForm",
    "SecretField",
    "SignInForm",
    "dress",
]
