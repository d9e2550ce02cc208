"""Template tags for the position of a page in the admin: its section, list and object."""

from typing import Any, NamedTuple

from django import template
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _

from labportal.administration.sections import PORTAL_PAGES, section_of

register = template.Library()


class Crumb(NamedTuple):
    text: str
    url: str = ""


@register.inclusion_tag("admin/_breadcrumbs.html", takes_context=True)
def breadcrumbs(context: dict[str, Any]) -> dict[str, Any]:
    """Administration, section, list, object, page, as far as Django's pages name them. The last one is no link."""
    opts = context.get("opts") or getattr(context.get("cl"), "opts", None)
    trail = [Crumb(_("Administration"), reverse("admin:index"))]
    if opts is not None:
        section = section_of(opts.model)
        listed = _of_list(opts)
        if str(section.name) != listed.text:
            trail.append(Crumb(str(section.name), f"{reverse('admin:index')}#{section.key}"))
        trail.append(listed)
        thing = context.get("original") or context.get("object")
        if thing is not None and thing.pk:
            trail.append(_of_object(opts, thing))
    title = str(context.get("title") or "")
    if "action_list" in context:  # Django's title repeats the object
        title = _("History")
    match = getattr(context.get("request"), "resolver_match", None)
    names_the_last = match is not None and str(match.url_name).endswith(("_change", "_changelist"))
    if title and not names_the_last:
        trail.append(Crumb(title))
    trail[-1] = Crumb(trail[-1].text)
    return {"trail": trail}


def _of_list(opts: Any) -> Crumb:
    return Crumb(capfirst(str(opts.verbose_name_plural)), _address(opts, "changelist"))


def _of_object(opts: Any, thing: Any) -> Crumb:
    return Crumb(Truncator(named(thing)).chars(60), _address(opts, "change", thing.pk))


def _address(opts: Any, page: str, *args: Any) -> str:
    try:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def current_section(context: dict[str, Any]) -> str:
    """The key of the section to which the page belongs; empty on the index."""
    opts = context.get("opts") or getattr(context.get("cl"), "opts", None)
    return section_of(opts.model).key if opts is not None else ""


@register.filter
def verbose_name(model: Any) -> str:
    """The name of one of them."""
    return str(model._meta.verbose_name)


@register.simple_tag
def portal_page(model: Any) -> str:
    """The address at which the portal itself lists such things; empty where it does not."""
    name = PORTAL_PAGES.get(model._meta.label_lower)
    return reverse(name) if name else ""


@register.filter
def named(thing: Any) -> str:
    """The object's own name; where Django would say “DBTaskResult object (1)”, its kind and number in words."""
    own: Any = type(thing).__str__
    if own is Model.__str__:
        return f"{capfirst(str(thing._meta.verbose_name))} {thing.pk}"
    return str(thing)
