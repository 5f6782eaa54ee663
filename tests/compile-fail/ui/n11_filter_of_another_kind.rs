//! A query compares a field with values of its own kind, and asks of it what its kind has.

use clearance::Dto;
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Card {
    id: i64,
    name: String,
    rating: f64,
    suspended: bool,
}

fn main() {
    let _ = Card::select().filter(Card::ID.eq("x"));
    let _ = Card::select().filter(Card::ID.contains("1"));
    let _ = Card::select().filter(Card::NAME.is_in([1_i64, 2]));
    let _ = Card::select().filter(Card::RATING.eq(1_i64));
    let _ = Card::select().filter(Card::SUSPENDED.lt(true));
    let _ = Card::NAME.sum();
    let _ = Card::SUSPENDED.max();
}
