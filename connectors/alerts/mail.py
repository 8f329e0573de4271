"""Alerts by e-mail, through the operator's mail server."""

import logging
from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils.translation import gettext as _

from connectors.alerts.messages import Alert
from connectors.alerts.tries import ARRIVED, Tried

logger = logging.getLogger(__name__)


def send_mail(address: str, alert: Alert) -> Tried:
    """Mail an alert. Its Message-ID is the alert's id, so a repetition is recognised as such."""
    if not settings.EMAIL_HOST:
        return Tried(_("No mail server is configured; the operator sets EMAIL_URL."), final=True)
    sender_host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(" >") or "portico.invalid"
    message = EmailMessage(
        subject=alert.subject,
        body=alert.text + "\n",
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[address],
        headers={"Message-ID": f"<{alert.id}@{sender_host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except SMTPRecipientsRefused:
        return Tried(_("The mail server refused the address."))
    except (SMTPException, OSError) as error:
        # The error's own words may quote the server's greeting or a sign-in.
        logger.warning("The mail server did not take an alert: %s", type(error).__name__)
        return Tried(_("The mail server did not take it (%(kind)s).") % {"kind": type(error).__name__})
    except ValueError as error:  # a header that Django refuses: trying again changes nothing
        return Tried(_("It cannot be mailed: %(why)s") % {"why": str(error)[:200]}, final=True)
    return ARRIVED
