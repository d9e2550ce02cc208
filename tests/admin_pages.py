"""Pages of the admin as a person meets them: what is in them, and how they are filled in."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client

# What makes an element, a script or a heading of a page that prints it as it is.
XSS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "'><b>bold</b>",
    "</td></tr></table><h1>taken</h1>", "<iframe src=javascript:alert(1)>", '" onfocus=alert(1) autofocus x="',
    "<a href='javascript:alert(1)'>x</a>", "<!--", "--><script>alert(1)</script>", "<![CDATA[<script>",
    "<style>*{display:none}</style>", "<link rel=stylesheet href=//evil.test>", "<meta http-equiv=refresh content=0>",
    "<base href=//evil.test>", "<form action=//evil.test><button>", "<input autofocus onfocus=alert(1)>",
    "<select onchange=alert(1)><option>", "<details open ontoggle=alert(1)>", "<video src=x onerror=alert(1)>",
    "<math><mi//xlink:href='data:x,<script>'>", "<object data=x>", "<embed src=x>", "<marquee onstart=alert(1)>",
    "<body onload=alert(1)>", "<textarea autofocus>", "</textarea><script>alert(1)</script>",
    "</title><script>x</script>",
    "{{ 7|add:7 }}", "{% debug %}", "{{ request.user.password }}", "${alert(1)}", "#{7*7}", "<%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "%3Cscript%3E", "\\u003cscript\\u003e",
    "<scr<script>ipt>", "<SCRIPT SRC=//evil.test/x.js>", "<svg/onload=alert`1`>", "<p style=background:url(x)>",
    "javascript:alert(1)", "<template><script>", "<noscript><p title='</noscript><img src=x>'>", "<xmp><b>",
    "<plaintext>",
    "<h1>\u202eevil", "<slot name=x>", "<dialog open>",
]  # fmt: skip


class Elements(HTMLParser):
    """How many of each element a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def elements(page: Any) -> Counter[str]:
    found = Elements(page.content.decode())
    assert found.handlers == []
    return found.tags


def rows(page: Any) -> list[str]:
    """The rows of a preview as text."""
    body = page.content.decode().partition("<tbody>")[2].partition("</table>")[0]
    found = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


def signed(page: Any) -> str:
    found = re.search(r'name="shown" value="([^"]+)"', page.content.decode())
    assert found, page.content.decode()
    return found[1]


def confirm(client: Client, url: str, page: Any) -> Any:
    return client.post(url, {"shown": signed(page)})


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))
