-- How much a contract of a market is and how it pays, where sizes are contracts and no coins.
alter table bmv.market
    add column payoff        text check (payoff in ('inverse', 'linear')),
    add column contract_size numeric check (contract_size > 0),
    add constraint market_contract check (payoff is not null or contract_size is null);
comment on column bmv.market.payoff is 'Of a contract; null: sizes are coins.';
comment on column bmv.market.contract_size is 'How much one is: quote of an inverse one, base of a linear one; null: not known.';
