"""Sending links by mail, where a mail server is configured; elsewhere they are shown."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)


def mail_link(to: str, *, subject: str, sentence: str, link: str) -> bool:
    """Mail a link; False where no server is configured or it did not take the message.

    The caller then shows the link instead, so that nothing is lost. The link is a secret
    and never logged.
    """
    if not settings.EMAIL_HOST or not to:
        return False
    body = f"{sentence}\n\n{link}\n\n" + _("If you did not expect this message, ignore it.") + "\n"
    try:
        return bool(send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, [to]))
    except (SMTPException, OSError) as error:
        logger.warning("The mail server did not take a message: %s", type(error).__name__)
        return False
