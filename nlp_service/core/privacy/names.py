"""Names of people, where the words beside them say that a name is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_service.core.labelling import PiiSpan

# The commonest surnames of mainland and Taiwan registers; rare ones that are everyday words are left out.
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金"
    "石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁"
    "岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳欧阳管柴蒙鲍华喻祁蒲房滕屈饶解牟"
    "艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩"
    "張劉陳楊黃趙吳孫馬鄭謝羅許韓馮鄧蕭蔣葉蘇魏呂盧鐘譚陸範賈韋鄒閆龍賀顧龔邵萬錢嚴湯齊喬龐顏倪莊聶魯歐關蘭寧紀單畢駱藍華蕭"
)
_COMPOUND = frozenset(
    {
        "欧阳",
        "上官",
        "司马",
        "诸葛",
        "东方",
        "皇甫",
        "尉迟",
        "公孙",
        "慕容",
        "令狐",
        "司徒",
        "夏侯",
        "宇文",
        "端木",
        "歐陽",
        "司馬",
        "諸葛",
    }
)
# Surnames that before a title are more often a preposition, a verb or part of another word.
_DOUBTFUL = frozenset("于和向时应成全单解连路安任方文万易常向关包边党农车古吉沙商师华荣时游米麦景")

_GIVEN = re.compile(r"[\u4e00-\u9fff]{1,2}")
# A character that begins the next word rather than ends a given name.
_NEXT_WORD = frozenset(
    "的是在我你您他她它们要想和跟与有没不了吗呢吧啊呀电手地住身号订买下收发快送请麻帮这那就也都还说给从到把被为先女姓男联寄退换换货以于上前后已给叫让会能可"
)
_CUE = re.compile(
    r"(?:我叫|我的名字(?:是|叫)|名字(?:是|叫)|姓名|联系人|联络人|收件人|收货人|收貨人|寄件人|户主|机主|户名|持卡人|投保人|被保人|投诉人|患者"
    r"|聯絡人|聯繫人)[ ]{0,2}(?:姓名)?[ ]{0,2}(?:改成|改为|换成|换为|[:是为為叫]|名叫)?[ :\-\"“「]{0,3}"
)
_TITLE = re.compile(r"(?:先生|女士|小姐(?!姐)|太太|阿姨|师傅|經理|经理|老师)")
_BEFORE_INFORMAL = frozenset("找跟和给系叫让是的请问向，。, ")

_WORD = r"[A-ZÀ-ÖØ-ÞĀ-ŽА-ЯЁĐƠƯ][\w'’\-]{1,20}"
_LATIN = re.compile(
    r"(?:[Mm]y name is|[Mm]y name's|[Nn]ame:|[Rr]ecipient:?|[Cc]onsignee:?|[Mm]e llamo|[Mm]i nombre es"
    r"|[Nn]ombre:|[Ii]ch hei(?:ß|ss)e|"
    r"[Mm]ein [Nn]ame ist|[Nn]ame ist|[Jj]e m['’]appelle|[Mm]on nom est|[Nn]om :|[Mm]eu nome é|[Mm]e chamo"
    r"|[Nn]ome:|[Nn]ama saya|[Nn]ama:|[Tt]ôi tên là|"
    r"[Tt]ên tôi là|[Tt]ên:|[Мм]еня зовут|[Мм]о[её] имя|[Ии]мя:|[Пп]олучатель:?) ?"
    rf"(?P<name>{_WORD}(?: (?:(?:de|da|dos|von|van|del|la|bin|al) )?{_WORD}){{0,3}})"
)
_EAST = re.compile(
    r"(?:名前は|氏名[:は ]{0,2}"
    r"|お名前[:は ]{0,2})(?P<ja>[\u4e00-\u9fff\u3041-\u30ffー]{2,5}(?:[ ][\u4e00-\u9fff\u3041-\u30ffー]{1,5})?)(?=です"
    r"|と申|[\s、。,]|\Z)"
    r"|(?P<ja2>[\u4e00-\u9fff]{2,5}|[\u30a1-\u30ffー]{2,10})と申します"
    r"|(?:제 이름은|이름은|이름:|성함:|수령인:?) ?(?P<ko>[\uac00-\ud7a3]{2,4}?)(?=입니다"
    r"|이고|이에요|예요|[\s,.]|\Z)"
    r"|(?:ผมชื่อ|ฉันชื่อ|ดิฉันชื่อ|ชื่อผู้รับ:?|ชื่อ:) ?(?P<th>[\u0e01-\u0e4e]{2,20})"
    r"|(?:اسمي|الاسم:?|اسم المستلم:?) (?P<ar>[\u0621-\u064a]{2,15}(?: [\u0621-\u064a]{2,15})?)"
)


def find_names(text: str) -> Iterator[PiiSpan]:
    for cue in _CUE.finditer(text):
        end = _chinese_name(text, cue.end())
        if end is not None:
            yield PiiSpan(kind="name", start=cue.end(), end=end)
    for title in _TITLE.finditer(text):
        start = _before_title(text, title.start(), formal=title[0] in {"先生", "女士", "小姐", "太太"})
        if start is not None:
            yield PiiSpan(kind="name", start=start, end=title.start())
    for match in _LATIN.finditer(text):
        yield PiiSpan(kind="name", start=match.start("name"), end=match.end("name"))
    for match in _EAST.finditer(text):
        group = next(name for name, value in match.groupdict().items() if value is not None)
        yield PiiSpan(kind="name", start=match.start(group), end=match.end(group))


def _chinese_name(text: str, start: int) -> int | None:
    """Return where a name that begins here ends: a surname and one or two characters."""
    if text[start : start + 2] in _COMPOUND:
        given = start + 2
    elif text[start : start + 1] in _SURNAMES:
        given = start + 1
    else:
        return None
    match = _GIVEN.match(text, given)
    if match is None or match[0][0] in _NEXT_WORD:
        if _TITLE.match(text, given):
            return given
        return None
    return given + 1 if len(match[0]) == 2 and match[0][1] in _NEXT_WORD else match.end()


def _before_title(text: str, end: int, *, formal: bool) -> int | None:
    """Return where the name before a title begins; the longest that starts with a surname."""
    for length in (4, 3, 2, 1) if formal else (1,):
        start = end - length
        if start < 0 or not _GIVEN.match(text, start):
            continue
        if length >= 3 and text[start : start + 2] in _COMPOUND:
            return start
        if length == 2 and text[start:end] in _COMPOUND:
            return start
        head = text[start]
        if length == 4 or head not in _SURNAMES or (head in _DOUBTFUL and (length > 1 or _han(text, start - 1))):
            continue
        if any(not _han(text, place) or text[place] in _NEXT_WORD for place in range(start, end)):
            continue
        if not formal and start and text[start - 1] not in _BEFORE_INFORMAL:
            continue
        return start
    return None


def _han(text: str, place: int) -> bool:
    return place >= 0 and "\u4e00" <= text[place] <= "\u9fff"
