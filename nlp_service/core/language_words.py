"""Words that tell a language where there are too few letters for statistics."""

from __future__ import annotations

import re


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_GREETINGS = {
    "en": "hello hi hey thanks thank please help refund cancel sorry hurry cancelled delivery shipping",
    "es": "hola gracias ayuda buenas buenos reembolso ayúdame devolución cancelar",
    "fr": "bonjour bonsoir merci salut remboursement svp annuler colis",
    "de": "hallo danke bitte hilfe guten rückerstattung lieferung stornieren",
    "pt": "olá oi obrigado obrigada ajuda reembolso",
    "id": "halo makasih terima kasih tolong",
    "vi": "chào cảm ơn alo",
    "it": "ciao grazie",
    "pl": "cześć dzięki dziękuję",
    "tr": "merhaba teşekkürler selam",
    "nl": "hoi bedankt",
}
_shared = [word for words in _GREETINGS.values() for word in words.split()]
GREETINGS = {word: code for code, words in _GREETINGS.items() for word in words.split() if _shared.count(word) == 1}

# Said in chats all over the world, also beside another language.
EVERYWHERE = _words(
    "app apple awsl bye emm emmm haha hahaha hehe hhh hmm huawei ipad iphone led lol max mini no ok okay "
    "oke okk okok omg plus pro qq samsung sku usb vip wechat wifi wow xiaomi xswl yes yyds zqsg"
)

MALAY = _words(
    "awak beritahu bila cakap daripada emel encik esok hantar hendak hujung ialah kawan kerana kereta "
    "lagu-lagu macam mahu mesyuarat nak padam peringatan pukul saudari sila tak tengok tolonglah wang"
)
INDONESIAN = _words(
    "aja apakah bagaimana banget besok bisa deh dong enggak ga gak gimana gue hapus iya kalo kapan karena "
    "kirim kok lo mau mobil nggak nih pesanan rapat sih silakan temanku uang ubah udah"
)

# One syllable of pinyin without tones.
PINYIN = re.compile(
    "(?:[bpmf](?:a|o|ai|ei|ao|an|en|ang|eng|i|ie|iao|ian|in|ing|u)|m[eo]u?|miu|fou|pou"
    "|[dtnl](?:a|e|ai|ei|ao|ou|an|ang|eng|ong|i|ie|iao|ian|ing|u|uo|uan|un|ui)|(?:n|l)(?:in|iang|iu|ü|v|ve|üe)|diu|dia|lia|nen|den|lo"
    "|[gkh](?:a|e|ai|ei|ao|ou|an|en|ang|eng|ong|u|ua|uo|uai|ui|uan|un|uang)"
    "|[jqx](?:i|ia|ie|iao|iu|ian|in|iang|ing|iong|u|ue|uan|un)"
    "|(?:[zcs]h?|r)(?:a|e|i|ai|ei|ao|ou|an|en|ang|eng|ong|u|ua|uo|uai|ui|uan|un|uang)"
    "|y(?:a|e|ao|ou|an|in|ang|ing|ong|i|o|u|ue|uan|un)|w(?:a|o|ai|ei|an|en|ang|eng|u)|a|e|ai|ei|ao|ou|an|en|ang|er)"
)

# Syllables that words of other languages seldom are.
PINYIN_ALONE = re.compile("^(?:zh|x|q|z)|(?:ao|uo|ui|iu|uan|ian|iao|uang|iang)$")
