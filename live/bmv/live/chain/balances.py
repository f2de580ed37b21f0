"""`bmv chain balances`: what is in our wallet, what lies at the venue, and what rent would come back."""

from solders.pubkey import Pubkey

from bmv.adapters.openbook.seat.desk import DeskSnapshot
from bmv.adapters.openbook.seat.funds import Funds, held_of
from bmv.adapters.openbook.seat.pieces import closing
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.report.tables import Column, say, say_table
from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.adapters.solana.errors import Json
from bmv.live.chain.making import delegate_of_seat
from bmv.live.chain.seated import Seated

COLUMNS = (
    Column("", "left"),
    Column("wallet"),
    Column("free at venue"),
    Column("locked"),
    Column("unsettled"),
)


def balances_json(seated: Seated, desk: DeskSnapshot) -> Json:
    """Return the page as JSON: native units, as text where they have a whole amount beside them."""
    held = held_of(desk, seated.seat.open_orders)
    coins = (
        ("base", seated.lots.base_decimals, desk.base_wallet, held.base),
        ("quote", seated.lots.quote_decimals, desk.quote_wallet, held.quote),
    )
    pieces = closing(seated.seat, desk, seated.spot)
    return {
        "slot": desk.slot,
        "owner": str(seated.seat.owner),
        "signer": str(seated.seat.signer),
        "account": None if desk.account is None else str(seated.seat.open_orders),
        "sol": {"lamports": desk.signer_lamports, "amount": in_whole(desk.signer_lamports, SOL_DECIMALS)},
        **{name: _coin(decimals, wallet, funds) for name, decimals, wallet, funds in coins},
        "delegate": None if (delegate := _delegate(desk)) is None else str(delegate),
        "events_waiting": desk.waiting(seated.seat.open_orders),
        "comes_back_on_closing": [
            {"what": one.name, "account": str(one.address), "lamports": one.lamports} for one in pieces
        ],
    }


def _delegate(desk: DeskSnapshot) -> Pubkey | None:
    return desk.account.delegate if isinstance(desk.account, OpenOrdersAccount) else None


def _coin(decimals: int, wallet: int | None, funds: Funds) -> Json:
    amounts = {"wallet": wallet, **funds._asdict()}
    whole = {name: None if native is None else in_whole(native, decimals) for name, native in amounts.items()}
    return {"native": amounts, "amount": whole, "decimals": decimals}


def say_balances(seated: Seated, desk: DeskSnapshot) -> None:
    """Print the page."""
    page = balances_json(seated, desk)
    say(f"SOL {page['sol']['amount']} in {page['signer']}")
    if page["signer"] != page["owner"]:
        say(f"trades for {page['owner']}, from what is free at the venue")
    say_table(COLUMNS, [[name, *_cells(page[name]["amount"])] for name in ("base", "quote")])
    waiting = page["events_waiting"]
    if waiting:
        say(f"{waiting} events wait for the crank: what their orders paid is locked until then")
    if page["delegate"] is not None:
        known = page["delegate"] == str(delegate_of_seat(seated))
        say(f"{page['delegate']} may trade for our account{'' if known else ', and live.delegate does not name it'}")
    for one in page["comes_back_on_closing"]:
        say(f"{in_whole(one['lamports'], SOL_DECIMALS)} SOL would come back from the {one['what']} {one['account']}")
    if page["account"] is None:
        say("no account on this market; `bmv chain setup` makes one")
    say(f"(slot {page['slot']})")


def _cells(amounts: Json) -> list[str]:
    return ["no account" if amounts[name] is None else amounts[name] for name in ("wallet", *Funds._fields)]
