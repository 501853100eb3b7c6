"""What a person reads, in Chinese and English; every format takes its words from here."""

from __future__ import annotations

from collections.abc import Mapping

from nlp_service.core.delivery.events import ThemeEvent, trend
from nlp_service.core.delivery.notice import Notice, Shown

_WORDS: Mapping[str, Mapping[str, str]] = {
    "new": {"zh": "新主题", "en": "New theme"},
    "rising": {"zh": "主题上升", "en": "Rising theme"},
    "acknowledged": {"zh": "主题已认领", "en": "Theme acknowledged"},
    "fixed": {"zh": "主题已修复", "en": "Theme fixed"},
    "fix_worked": {"zh": "主题修复有效", "en": "Fix worked"},
    "fix_failed": {"zh": "主题修复无效", "en": "Fix did not work"},
    "recurred": {"zh": "主题再次出现", "en": "Theme came back"},
    "quiet": {"zh": "主题已平息", "en": "Theme went quiet"},
    "dismissed": {"zh": "主题已忽略", "en": "Theme dismissed"},
    "merged": {"zh": "主题已合并", "en": "Themes merged"},
    "split": {"zh": "主题已拆分", "en": "Theme split"},
    "renamed": {"zh": "主题已改名", "en": "Theme renamed"},
    "drift": {"zh": "模型漂移", "en": "Model drift"},
    "minor": {"zh": "一般", "en": "minor"},
    "major": {"zh": "重要", "en": "major"},
    "critical": {"zh": "严重", "en": "critical"},
    "acknowledge": {"zh": "认领", "en": "Acknowledge"},
    "fix": {"zh": "标记已修复", "en": "Mark as fixed"},
    "open": {"zh": "查看主题", "en": "Open theme"},
    "share": {"zh": "占全部反馈", "en": "Share of all feedback"},
    "volume": {"zh": "数量", "en": "Volume"},
    "severity": {"zh": "严重程度", "en": "Severity"},
    "products": {"zh": "产品", "en": "Products"},
    "departments": {"zh": "部门", "en": "Departments"},
    "reason": {"zh": "原因", "en": "Why"},
    "trend": {"zh": "趋势", "en": "Trend"},
    "digest": {"zh": "客户主题汇总", "en": "Customer themes: digest"},
    "sample": {"zh": "【测试】", "en": "[Sample] "},
    "sample_note": {
        "zh": "这是一条测试消息，内容为示例。收到即表示订阅可用。",
        "en": "This is a sample with made-up content. Receiving it shows that the subscription works.",
    },
    "shortened": {
        "zh": "（受渠道长度限制，引文已缩短或省略，完整内容见主题页）",
        "en": "(Quotes were shortened or left out to fit this channel; the theme has them in full.)",
    },
}
_TREND = {"up": "↑", "down": "↓", "flat": "→"}
_COLOURS = {"minor": "blue", "major": "orange", "critical": "red"}


def word(name: str, language: str) -> str:
    """Return a word or sentence of ours."""
    return _WORDS[name][language]


def headline(notice: Notice) -> str:
    """Return the one line by which a message is recognised."""
    sample = word("sample", notice.language) if notice.form == "sample" else ""
    if len(notice.events) == 1:
        return f"{sample}{event_headline(notice.events[0], notice.language)}"
    count = f"{len(notice.events)} 条" if notice.language == "zh" else f"{len(notice.events)} events"
    return f"{sample}{word('digest', notice.language)} · {count}"


def event_headline(event: ThemeEvent, language: str) -> str:
    title = f"“{event.title}”"
    return f"{word(event.kind, language)}：{title}" if language == "zh" else f"{word(event.kind, language)}: {title}"


def facts(event: ThemeEvent, language: str) -> tuple[tuple[str, str], ...]:
    """Return (name, value) pairs of what is known about an event, most telling first."""
    found: list[tuple[str, str]] = []
    if event.share is not None:
        share = event.share
        value = f"{share.value:.1%} ({share.low:.1%}–{share.high:.1%}, 95%)"
        found.append((word("share", language), value))
    if event.messages:
        volume = f"{event.messages:,} 条消息，{event.customers:,} 位顾客"
        if language != "zh":
            volume = f"{event.messages:,} messages, {event.customers:,} customers"
        found.append((word("volume", language), volume))
    if event.growth is not None:
        found.append((word("trend", language), f"{_TREND[trend(event.growth)]} ×{event.growth:.1f}"))
    if event.reason:
        found.append((word("reason", language), event.reason))
    if event.products:
        found.append((word("products", language), ", ".join(event.products)))
    if event.departments:
        found.append((word("departments", language), ", ".join(event.departments)))
    found.append((word("severity", language), word(event.severity, language)))
    return tuple(found)


def notes(notice: Notice, shown: Shown) -> tuple[str, ...]:
    """Return what must be said about the message itself."""
    found = []
    if notice.form == "sample":
        found.append(word("sample_note", notice.language))
    if shown.left_out:
        text = f"另有 {shown.left_out} 条未列出" if notice.language == "zh" else f"{shown.left_out} more are not listed"
        found.append(text)
    if shown.is_shortened:
        found.append(word("shortened", notice.language))
    return tuple(found)


def colour(notice: Notice) -> str:
    """Return blue, orange or red by the most severe event."""
    order = list(_COLOURS)
    return _COLOURS[max((event.severity for event in notice.events), key=order.index)]


def plain(text: str) -> str:
    """Take from a customer's words what any chat's markup would act on: mentions, links, tags, emphasis.

    Full-width twins are used, not escapes: the dialects of the chats differ, and these mean nothing in all of them.
    """
    return text.translate(_TWINS)


_TWINS = str.maketrans("<>[]()@#*_`~|\\!&", "＜＞［］（）＠＃＊＿｀～｜＼！＆")
