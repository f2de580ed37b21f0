"""What a configuration implies for whoever signs: how large orders may be, how long they may live, what may be paid."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from solders.pubkey import Pubkey

from bmv.adapters.config.compile import market
from bmv.adapters.config.routes import tip_accounts
from bmv.adapters.config.schema import Config, Side
from bmv.adapters.openbook.policy.mandate import Limits
from bmv.ports.errors import ConfigError

LIFE_MARGIN_S = 10  # Between the second that a deadline was reckoned from and the one that the policy knows.
SIZE_MARGIN = Fraction(11, 10)  # Sizes round, levels that share a tick merge, maker's fees are locked on top.
PRICE_MARGIN = 4  # So many times the price at the start an order may be at; the moment's own range is the narrower.
LAMPORTS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What is allowed beside trading, while something is set up.

    Args:
        rent_lamports: Of a new account of version 1, as the chain asks.
        wrap_lamports: SOL that goes into our own wrapped SOL.
        deposit: Native base and quote that go into our account of version 2.
        successor: Who gets everything, while a key is rotated.
    """

    rent_lamports: int = 0
    wrap_lamports: int = 0
    deposit: tuple[int, int] = (0, 0)
    successor: Pubkey | None = None


NOTHING_EXTRA = Extra()


def limits_of(config: Config, price_ticks: int | None = None, extra: Extra = NOTHING_EXTRA) -> Limits:
    """Return how much one transaction may do.

    It is the last fence and not the first: the core's risk cuts orders to what positions, balances and `[risk]` allow,
    and every order that passes there must pass here. So sizes are those of the grid when all levels of a side stand on
    one tick and inventory leans fully to it, or of an order that flattens or that a strategy of one's own may send
    (the whole way from one end of the position to the other); a tenth more of either. Prices are given by `[risk]`, or
    else four times today's: who trades longer than that lasts starts again.

    Args:
        price_ticks: The market's price now; None: there is none, and no order may be placed unless `[risk]` limits its
            notional.
    """
    lots, all_lots = _largest_lots(config), _all_lots(config)
    return Limits(
        order_lots_max=lots,
        order_quote_lots_max=_quote_lots(config, "max_order_notional", lots, price_ticks),
        total_quote_lots_max=_quote_lots(config, "max_total_notional", all_lots, price_ticks),
        order_life_s_max=config.live.order_life_s + LIFE_MARGIN_S,
        takes=_takes(config),
        priority_lamports_max=config.live.max_priority_fee_lamports,
        tip_lamports_max=config.live.jito.max_tip_lamports if tip_accounts(config) else 0,
        rent_lamports_max=extra.rent_lamports,
        wrap_lamports_max=extra.wrap_lamports,
        deposit_max=extra.deposit,
    )


def fees_lamports_per_day(config: Config) -> int | None:
    """Return the most that may be paid to the chain in 24 hours, None where nothing limits it."""
    most = config.risk.max_fees_sol_per_day
    return None if most is None else int(most * LAMPORTS)


def fees_lamports_per_hour(config: Config) -> int | None:
    """Return the most that may be paid to the chain in an hour, None where nothing limits it."""
    most = config.risk.max_fees_sol_per_hour
    return None if most is None else int(most * LAMPORTS)


def delegates_of(config: Config) -> frozenset[Pubkey]:
    """Return who else may trade for our account."""
    named = _address("live.delegate", config.live.delegate)
    return frozenset() if named is None else frozenset({named})


def owner_of(config: Config) -> Pubkey | None:
    """Return whose account is traded for, where the configuration names him."""
    return _address("live.owner", config.live.owner)


def named_account(config: Config) -> Pubkey | None:
    """Return our account at the venue where the configuration names it."""
    return _address("live.open_orders", config.live.open_orders)


def _address(key: str, text: str | None) -> Pubkey | None:
    try:
        return None if text is None else Pubkey.from_string(text)
    except ValueError:
        raise ConfigError(f"{key}: expected 32 bytes in base58, found others") from None


def _takes(config: Config) -> bool:
    return config.strategy is not None or config.risk.breaker.on_halt == "flatten"


def _side_lots(config: Config, side: Side) -> Fraction:
    """Return the lots of a side when inventory leans fully to it."""
    return market(config).lots(side.total_size) * (1 + Fraction(str(config.inventory.size_skew)))


def _whole_way(config: Config) -> Fraction:
    """Return the lots from one end of the position to the other, or to the target from where it began."""
    inventory = config.inventory
    return market(config).lots(max(2 * inventory.max_position, inventory.start_base + inventory.max_position))


def _largest_lots(config: Config) -> int:
    sides = [_side_lots(config, config.grid.bid), _side_lots(config, config.grid.ask)]
    return ceil(max([*sides, _whole_way(config)] if _takes(config) else sides) * SIZE_MARGIN) + 1


def _all_lots(config: Config) -> int:
    sides = _side_lots(config, config.grid.bid) + _side_lots(config, config.grid.ask)
    return ceil((sides + 2 * _whole_way(config) if _takes(config) else sides) * SIZE_MARGIN) + 2


def _quote_lots(config: Config, name: str, lots: int, price_ticks: int | None) -> int:
    """Return the quote lots of a limit of `[risk]`, or of so many lots at the highest price that is reckoned with.

    A quote lot is what a lot costs at one tick.
    """
    given = getattr(config.risk, name)
    if given is not None:
        units = market(config)
        return ceil(Fraction(given) / (Fraction(units.tick_size) * Fraction(units.lot_size)) * SIZE_MARGIN)
    return lots * PRICE_MARGIN * (price_ticks or 0)
