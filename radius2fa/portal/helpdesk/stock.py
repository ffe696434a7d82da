"""Owns the room of the tokens that belong to nobody yet: what there is, and how more of them come in."""

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as AnyResponse

from radius2fa.enrol.formats.rows import BadFile
from radius2fa.portal import devices, waiting
from radius2fa.portal.helpdesk import upload as uploads
from radius2fa.portal.helpdesk.upload import Upload, uploaded
from radius2fa.portal.helpdesk.why import why_typed
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import Role, is_fresh, only, role
from radius2fa.portal.world import world

room = Blueprint("stock", __name__)

EACH = 25  # tokens on a page
_LAST_PAGE = 10_000
_IMPORTED = "imported"

Answer = str | AnyResponse | tuple[str, int]


@room.get("/stock")
@only(Role.HELPDESK)
def page() -> Answer:
    """List the stock, or such of it as have a serial number or public id that holds a text."""
    return _stock()


@room.post("/stock/upload")
@only(Role.ADMIN)
def upload() -> Answer:
    """Take an import file, and keep it until it is imported or thrown away. Nothing is imported yet."""
    sent = request.files.get("file")
    octets = b"" if sent is None else sent.read(uploads.MOST_OCTETS + 1)
    name = uploads.named(sent.filename if sent else "")
    if not octets:
        return _stock(error="stock.no-file"), 422
    if len(octets) > uploads.MOST_OCTETS:
        return _stock(error="stock.too-large"), 422
    taken = Upload(name, octets, request.form.get("key", "").strip(), request.form.get("password", ""))
    try:
        outcome = uploads.run(taken, world().store, dry=True)
    except BadFile as bad:
        return _stock(bad=bad), 422
    if outcome.tally.stopped is not None:
        return _stock(bad=outcome.tally.stopped), 422
    waiting.done(_IMPORTED)
    taken.keep()
    return redirect(url_for("stock.file"), 303)


@room.get("/stock/upload")
@only(Role.ADMIN)
def file() -> Answer:
    """Show what would come of the file that waits, or what has come of it."""
    taken = uploaded()
    if taken is None:
        return redirect(url_for("stock.page"), 303)
    done = waiting.waiting().get(_IMPORTED)
    if done is not None:
        return shown("helpdesk/imported.html", name=taken.name, outcome=done)
    return _dry_run(taken)


@room.post("/stock/import")
@only(Role.ADMIN)
def take_in() -> Answer:
    """Import the file that waits. Sent twice, it does nothing the second time."""
    taken, why = uploaded(), why_typed(request.form)
    if taken is None or _IMPORTED in waiting.waiting():
        return redirect(url_for("stock.file"), 303)
    if why is None:
        return _dry_run(taken, error="person.why-missing"), 422
    waiting.wait(**{_IMPORTED: uploads.run(taken, pen(why), dry=False).described()})
    return redirect(url_for("stock.file"), 303)


@room.get("/stock/rejected")
@only(Role.ADMIN)
def rejected() -> Answer:
    """Give back what of the file is rejected, with the reason beside each, to be corrected and uploaded.

    It holds secrets, so that it needs a second factor that was shown lately, as a change does.
    """
    if not is_fresh():
        return redirect(url_for("confirm.page", back=url_for("stock.file")), 303)
    taken = uploaded()
    if taken is None:
        return redirect(url_for("stock.page"), 303)
    body, suffix = uploads.rejected(taken, world().store)
    response = Response(body, mimetype="application/octet-stream")
    name = f"{secure_filename(taken.name) or 'file'}.rejected.{suffix}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@room.post("/stock/forget")
@only(Role.ADMIN)
def forget() -> Answer:
    """Throw the file away."""
    waiting.done("upload", _IMPORTED)
    return redirect(url_for("stock.page"), 303)


def _stock(error: str = "", bad: BadFile | None = None) -> str:
    text, number = request.args.get("q", "").strip(), request.args.get("page", "1")
    at = min(int(number), _LAST_PAGE) if number.isascii() and number.isdecimal() and len(number) < len("100000") else 1
    rows = world().store.records.stock(text, (max(at, 1) - 1) * EACH, EACH + 1)
    return shown(
        "helpdesk/stock.html",
        rows=rows[:EACH],
        state=lambda row: devices.state(row, world().clock.now()),
        at=max(at, 1),
        more=len(rows) > EACH,
        text=text,
        stock=world().store.records.figures().stock,
        admin=role() >= Role.ADMIN,
        fresh=is_fresh(),
        waits=role() >= Role.ADMIN and uploads.waits(),
        error=error,
        bad=bad,
        most_octets=uploads.MOST_OCTETS,
        most_rows=uploads.MOST_ROWS,
    )


def _dry_run(taken: Upload, error: str = "") -> str:
    outcome = uploads.run(taken, world().store, dry=True)
    return shown(
        "helpdesk/upload.html",
        name=taken.name,
        outcome=outcome.described(),
        lines=outcome.lines,
        fresh=is_fresh(),
        error=error,
    )
