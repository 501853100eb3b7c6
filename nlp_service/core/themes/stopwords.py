"""Words that say nothing about the matter, and phrases that a title is better without."""

from __future__ import annotations

import re

_CHINESE = """
的 了 着 过 吗 呢 吧 啊 呀 哦 噢 喔 嗯 哈 哈哈 哈哈哈 呵呵 嘛 啦 咯 哟 诶 唉 哎 额 呃 嗨 哪 么 之 与 和 及 跟 同
或 或者 而 而且 并 并且 但 但是 可是 不过 然后 所以 因为 由于 如果 的话 就 都 也 还 又 再 才 只 很 太 真 挺 好
更 最 非常 比较 特别 这 那 这个 那个 这些 那些 这样 那样 这么 那么 这里 那里 哪里 什么 怎么 怎样 如何 为什么
为何 多少 几 谁 哪个 我 你 您 他 她 它 我们 你们 他们 咱们 咱 俺 自己 大家 人家 别人 是 在 有 到 把 被 给 让 对
从 向 往 用 以 为 于 等 里 上 下 中 内 外 前 后 时 时候 现在 今天 昨天 明天 刚才 刚刚 已经 一直 总是 经常 还是
就是 不是 是不是 有没有 能 能不能 可以 可不可以 会 要 想 应该 需要 得 请 请问 麻烦 谢谢 感谢 你好 您好 亲 亲亲
在吗 好的 行 嗯嗯 知道 觉得 感觉 一下 一个 一次 一点 一些 一 二 两 三 四 五 六 七 八 九 十 个 次 天 年 月 日 号
点 分 元 块 件 条 台 只 些 种 说 来 去 出 起 看 做 弄 搞 东西 事 事情 问题 情况 真的 真是 居然 竟然 其实 当然
反正 结果 关于 比如 啥 咋 咋办 怎么办 怎么回事 帮 帮忙 帮我 客服 先生 女士 顾客
"""
_ENGLISH = """
a an the and or but if then so because as of at by for with about to from in on off out up down over under is
are was were be been being am do does did doing have has had having i me my mine we our ours you your yours he
him his she her it its they them their what which who whom this that these those there here when where why how
all any both each few more most other some such only own same than too very can could will would shall should
may might must just please hi hello thanks thank ok okay yes no dear get got also still im i'm i've it's don't
can't didn't doesn't isn't
"""
_OTHERS = """
de la el los las un una y o que en es por para con no se me mi su le der die das und ist nicht ein eine ich sie
zu mit auf für von den dem le les des du et est pas je vous pour dans que qui sur au и в не на я что с по как
это у мне ко la o os as um uma não eu do da em é yang dan di ini itu saya tidak untuk dengan ada apa của và là
có không tôi cho được này các một で に は を が の と も です ます した て る から まで 이 그 저 는 은 을 를 에
의 가 도 로 ของ ที่ ไม่ มี และ ได้ ครับ ค่ะ من في على ما هل لا
"""
STOPWORDS = frozenset(f"{_CHINESE} {_ENGLISH} {_OTHERS}".split())
_NEGATIONS = """
不 没 没有 无 未 别 无法 不能 不会 不了 不到 不让 不给 不想 不能用 not no never cannot without
"""
NEGATIONS = frozenset(_NEGATIONS.split())

# What people put around a matter; cut from the ends of a title, one after another.
_LEADING = """
你好 您好 请问一下 请问 麻烦问一下 问一下 想问一下 想问 咨询一下 咨询 亲亲 亲 哎呀 唉 嗯+ 额+ 呃+ 哦+ 啊+ 那个 就是说
就是 然后 那么 那 而且 但是 可是 不过 所以 因为 还有 其实 反正 结果 我想知道 我就想 我想 我觉得 我感觉 感觉 觉得
帮我看一下 帮我看看 帮我 麻烦你 麻烦
客服 hello\\b hi\\b please\\b excuse\\sme\\b but\\b and\\b so\\b well\\b i\\sthink\\b i\\sguess\\b
"""
_TRAILING = """
谢谢你 谢谢 感谢 好吗 行吗 对吧 是吧 是吗 哈+ 啊+ 呀+ 呢+ 吧+ 嘛+ 哦+ 噢+ 啦+ 哟+ 的说
\\bplease \\bthanks \\bthank\\syou
"""
LEADING_FILLERS = re.compile(rf"^(?:{'|'.join(_LEADING.split())})[\s，,、：:]*", re.IGNORECASE)
TRAILING_FILLERS = re.compile(rf"(?:{'|'.join(_TRAILING.split())})$", re.IGNORECASE)
CLAUSE_END = re.compile(
    r"[，。！？；、,.!?;~～…\n\r\t\"“”（）()【】《》<>|]+|\s{2,}|(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])"
)
PLACEHOLDER = re.compile(r"\[[^\[\]\s]{1,16}\]|#E-s\S*|https?://\S+|@\S+")
