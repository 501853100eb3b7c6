"""The made-up event that `send a sample` shows."""

from __future__ import annotations

from datetime import datetime

from nlp_service.core.delivery.events import Share, ThemeEvent


def sample_event(event_id: str, *, at: datetime, departments: tuple[str, ...] = ()) -> ThemeEvent:
    """Return an event like the first real one: customers who cannot read the manual."""
    return ThemeEvent(
        id=event_id,
        theme_id="thm_sample",
        kind="rising",
        at=at,
        title="说明书看不懂",
        reason="15.0%, expected were 5.1% (p < 0.001)",
        share=Share(value=0.150, low=0.143, high=0.157),
        messages=1_512,
        customers=1_204,
        growth=2.9,
        quotes=(
            "说明书字太小，步骤也没写清楚",
            "装了两个小时还是不会用，说明书看不懂",
            "请出一个视频教程吧，说明书太难懂了",
        ),
        departments=departments or ("product_team",),
        products=("净水器 J-200",),
        severity="major",
    )
