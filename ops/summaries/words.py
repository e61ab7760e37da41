"""Words that a summary may not use, or only where a fact says so."""

from __future__ import annotations


def _set(words: str) -> set[str]:
    return set(words.split())


def _verbs(words: str) -> set[str]:
    """Regular verbs in every form: soar, soars, soared, soaring."""
    verbs = _set(words)
    stems = {verb.removesuffix("e") for verb in verbs}
    return verbs | {f"{verb}s" for verb in verbs} | {stem + ending for stem in stems for ending in ("es", "ed", "ing")}


def _numbered(*names: str) -> dict[str, int]:
    """Names and their first three letters, each with the place of its name, from 0."""
    return {written: place for place, name in enumerate(names) for written in (name, name[:3])}


NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "once": 1,
    "single": 1, "sole": 1, "lone": 1,
    # These say 0.
    "no": 0, "none": 0, "nothing": 0, "nobody": 0, "without": 0, "nil": 0, "null": 0, "nought": 0, "naught": 0,
}  # fmt: skip
# Quantities that are no figure, and denials, which turn a true figure into a lie.
VAGUE = _set(
    """
    half halves halved halving double doubled doubles doubling twice thrice triple tripled quadruple quadrupled tenfold
    fold dozen dozens hundred hundreds thousand thousands million millions billion billions trillion quarter quarters
    third thirds majority minority most all every each always entire entirely both couple several pair pairs trio duo
    score scores lakh lakhs lac lacs crore crores myriad myriads gross trillions quintuple quintupled sextuple
    few many some lots plenty numerous countless handful nearly almost roughly approximately approx circa virtually
    practically noon midday midnight
    not never neither nor cannot hardly barely scarcely rarely seldom non un lack lacked lacks
    didnt doesnt dont isnt arent wasnt werent hasnt havent hadnt cant couldnt wont wouldnt
    k m mm mn mln mio bn bln tn trn
    """
)
_ORDINALS = _set(
    """
    fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth
    eighteenth nineteenth twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth
    thousandth millionth billionth
    """
)
VAGUE |= _ORDINALS | {f"{ordinal}s" for ordinal in _ORDINALS}
# Units, and what makes a number one of another kind: nowhere, unless a fact is told in just this spelling.
UNITS = _set(
    """
    percentage percentages percent percents cent cents pct pcnt point points pp pps bp bps basis permille mille ppm per
    dollar dollars buck bucks euro euros eurocent eurocents pound pounds sterling quid penny pence yen yuan renminbi
    rupee rupees paisa paise franc francs krona kronor krone kroner koruna peso pesos ruble rubles rouble roubles lira
    liras zloty zlotys forint forints rand dirham dirhams riyal riyals dinar dinars shekel shekels baht ringgit rupiah
    naira shilling shillings hryvnia tenge dong bitcoin bitcoins satoshi satoshis ether ethers gwei wei
    coin coins token tokens
    usd eur gbp jpy chf cny rmb inr aud cad nzd sek nok dkk pln czk huf ron try rub uah brl mxn zar aed sar ils thb sgd
    hkd krw idr myr php ngn kes vnd btc eth usdt usdc
    """
)
# What is a unit only right behind a number.
MEASURES = _set(
    """
    second seconds sec secs s minute minutes min mins hour hours hr hrs h day days d week weeks month months year years
    am pm oclock times x b t g kg kilo kilos gram grams ton tons tonne tonnes ounce ounces byte bytes
    """
)
UP = _set(
    """
    rose rise rises risen rising up increased increase increases higher more grew growth grown growing grows climbed
    improved worsened above upward upwards uptick upturn greater bigger larger shot leapt swollen multiplied
    """
)
UP |= _verbs(
    """
    climb jump surge gain spike soar rocket skyrocket balloon mushroom swell boom leap rebound recover expand exceed
    surpass outpace outnumber accelerate strengthen
    """
)
DOWN = _set(
    """
    fell fall falls fallen falling down decreased decrease decreases lower fewer less dropped drop dropping shrank
    shrunk below lost losing downward downwards downturn smaller lesser slid sank sunk cut cuts cutting dip dips dipped
    dipping slip slips slipped slipping dove
    """
)
DOWN |= _verbs(
    """
    decline reduce plummet plunge tumble slump sink slide dive nosedive crash collapse crater shrink dwindle diminish
    lessen ease wane ebb recede retreat subside taper tank weaken slow slacken abate
    """
)
# Behind these a number is of the window before, and nowhere else.
FORMER = _set("from than after against previously")
SAME = _set("unchanged same stable steady flat constant equal equalled identical static")
SAME |= _set("remain remains remained") | _verbs("stay stagnate plateau")
# Who reads a summary is told what happened, and never what to do.
ADDRESSING = _set(
    """
    you your yours we our us i me my please kindly pls plz asap should must shall ought need needs recommend
    recommends recommended recommendation advise advised advice urge urged urgent urgently suggest suggested
    immediately click visit ignore
    disregard instruction instructions prompt system assistant password passwords secret secrets credentials login
    approve approved authorise http https www mailto script javascript
    """
)
# Nothing that begins with one of these is a report.
COMMANDS = _set(
    """
    approve transfer send pay release close suspend activate freeze unfreeze reverse void capture retry run restart
    delete disable enable check review investigate look see contact call go act escalate notify tell ask make take do
    let ensure consider remember grant raise lower stop start wire move withdraw deposit enter type download install
    execute resolve acknowledge refund block unblock allow deny reject accept
    """
)
MONTHS = _numbered(
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
) | {"sept": 8}  # fmt: skip
WEEKDAYS = _numbered("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS |= {"tues": 1, "thur": 3, "thurs": 3}
# In the labels of facts, these do not tell one from another.
NEUTRAL = _set("payments hour hours with were total amount rate last first minute kind webhook worst age")
