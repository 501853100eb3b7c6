"""Complaints to plant: twelve matters, each in more than thirty wordings of our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

DAYS = 56
START_DEFECT = 28  # week 5
FIXED_ON = 35  # week 6
GONE, BACK = 14, 42


@dataclass(frozen=True, kw_only=True)
class Complaint:
    key: str
    own: str  # what real messages that say the same match: they stay out, or the true share would not be known
    wordings: tuple[str, ...]
    share: Callable[[int], float]  # of day i's feedback
    region: str | None = None
    hours: tuple[int, int, int] | None = None  # weekday, first hour, last hour (local, not included)
    copies: bool = False
    fixed_on: int | None = None


def _said(*parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("".join(words) for words in product(*parts))


def _constant(share: float) -> Callable[[int], float]:
    return lambda _day: share


COMPLAINTS: tuple[Complaint, ...] = (
    Complaint(
        key="manual",
        own=r"说明书|使用手册",
        wordings=_said(
            ("说明书", "这个说明书", "产品说明书", "里面的说明书", "使用手册", "附带的说明书"),
            ("根本看不懂", "写得太乱看不懂", "看了半天没看懂", "完全看不明白", "步骤不清楚看不懂", "字又小又难懂"),
        ),
        share=_constant(0.15),
    ),
    Complaint(
        key="courier",
        own=r"(快递|物流|包裹|快件|发货|配送|送货|派送).*(慢|没到|不动|不更新|没送|还没|几天|不到|多久|什么时候)",
        wordings=_said(
            ("快递", "我的包裹", "物流", "发的快递", "这家快递", "我买的东西快递"),
            ("三天了一直不更新", "卡在中转站不动了", "慢得要命还没到", "一个星期了都没送到", "太慢了比别家晚好几天"),
        ),
        share=_constant(0.03),
        region="华南",
    ),
    Complaint(
        key="leak",
        own=r"漏水|渗水",
        wordings=_said(
            ("水壶", "新买的水壶", "这个烧水壶", "电热水壶", "你们家水壶", "刚收到的水壶"),
            ("底部漏水", "一烧水就漏水", "壶底一直渗水", "用了两次就漏水", "倒水的时候下面漏水"),
        ),
        share=lambda day: 0.0 if day < START_DEFECT else 0.03,
    ),
    Complaint(
        key="crash",
        own=r"闪退",
        wordings=_said(
            ("APP", "你们的APP", "手机APP", "更新后的APP", "这个软件", "最新版客户端"),
            ("一打开就闪退", "点进去马上闪退", "老是闪退用不了", "付款的时候闪退", "闪退好多次了"),
        ),
        share=lambda day: 0.04 if day < FIXED_ON else 0.003,
        fixed_on=FIXED_ON,
    ),
    Complaint(
        key="parts",
        own=r"螺丝|少.*配件",
        wordings=_said(
            ("包装里", "打开箱子", "收到货", "盒子里", "拆开以后", "开箱一看"),
            ("少了螺丝配件", "螺丝少发了几颗", "没有配套的螺丝", "缺螺丝装不上", "漏发了安装螺丝"),
        ),
        share=lambda day: 0.0 if GONE <= day < BACK else 0.03,
        fixed_on=GONE,
    ),
    Complaint(
        key="flood",
        own=r"加微信",
        wordings=("加微信领取内部优惠券名额有限先到先得",),
        share=lambda day: 0.1 if 20 <= day < 26 else 0.0,
        copies=True,
    ),
    Complaint(
        key="hotline",
        own=r"(客服|热线|电话).*(打不通|没人接|占线|打不进|不接|接听)",
        wordings=_said(
            ("客服电话", "你们热线", "打客服电话", "人工电话", "售后电话", "投诉电话"),
            ("一直占线打不通", "打了十几次没人接", "永远打不进去", "等半小时没人接听", "根本打不通"),
        ),
        share=_constant(0.03),
        hours=(4, 18, 20),
    ),
    Complaint(
        key="refund",
        own=r"(退款|退货|退钱|货款).*(没到|到账|没收到|没退|多久|几天|什么时候|还没)",
        wordings=_said(
            ("退款", "退货的钱", "说好的退款", "我的退款", "申请的退款", "退回去的货款"),
            ("半个月了还没到账", "一直不到账", "等了好久没收到", "到现在没退给我", "拖着不退到账户"),
        ),
        share=_constant(0.025),
    ),
    Complaint(
        key="coupon",
        own=r"(券|优惠|满减).*(用不了|不能|不可用|抵扣|没法|无法|使用)",
        wordings=_said(
            ("优惠券", "领的优惠券", "满减券", "送我的券", "会员优惠券", "新人券"),
            ("付款时用不了", "结账不能抵扣", "显示不可用", "明明没过期却不能用", "提交订单时没有减"),
        ),
        share=_constant(0.02),
    ),
    Complaint(
        key="installer",
        own=r"(安装|师傅).*(收费|加钱|材料费|多要|费用)",
        wordings=_said(
            ("安装师傅", "上门的师傅", "装空调的师傅", "安装工人", "来安装的人", "你们派的师傅"),
            ("乱收费多要钱", "额外要了两百块", "说要加钱才给装", "收了材料费不给发票", "开口就要高价材料费"),
        ),
        share=_constant(0.02),
    ),
    Complaint(
        key="invoice",
        own=r"(发票|抬头|税号).*(错|少|重开|修改|改)",
        wordings=_said(
            ("发票", "电子发票", "公司发票", "开的发票", "增值税发票", "寄来的发票"),
            ("抬头开错了", "公司名称写错了", "税号不对", "抬头少了一个字", "单位名称开错要重开"),
        ),
        share=_constant(0.015),
    ),
    Complaint(
        key="battery",
        own=r"(充电|充着|手机|电池).*(烫|热)",
        wordings=_said(
            ("手机", "新手机", "电池", "这款手机", "手机背面", "刚买的手机"),
            ("充电的时候发烫", "充电烫得吓人", "一充电就特别烫", "充着电烫手", "边充边用烫得厉害"),
        ),
        share=_constant(0.02),
    ),
)
