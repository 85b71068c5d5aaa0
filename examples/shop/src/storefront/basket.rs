//! What somebody wants to buy, read from the body of a checkout.

use serde::Deserialize;

const MAX_LINES: usize = 100;
const MAX_QUANTITY: u32 = 99;

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Basket {
    /// As the page calls it, so that nobody pays for it twice.
    pub(super) id: Option<String>,
    pub(super) lines: Vec<Line>,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Line {
    pub(super) sku: String,
    pub(super) quantity: u32,
}

#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BasketError {
    #[error(
        "the body is not a basket, such as {{\"items\": [\"mug\", {{\"sku\": \"lamp\", \"quantity\": 2}}]}}: {0}"
    )]
    Unreadable(String),
    #[error("the basket is empty")]
    Empty,
    #[error("a basket holds at most {MAX_LINES} items")]
    TooManyLines,
    #[error("a quantity is 1 to {MAX_QUANTITY}")]
    Quantity,
    #[error("an item needs a name of 1 to 64 characters")]
    Sku,
    #[error("a basket's ID has 1 to 64 characters")]
    Id,
}

impl Basket {
    pub(super) fn from_json(body: &[u8]) -> Result<Self, BasketError> {
        #[derive(Deserialize)]
        struct Body {
            basket: Option<String>,
            items: Vec<Item>,
        }
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| BasketError::Unreadable(error.to_string()))?;
        if body.items.is_empty() {
            return Err(BasketError::Empty);
        }
        if body.items.len() > MAX_LINES {
            return Err(BasketError::TooManyLines);
        }
        if body.basket.as_ref().is_some_and(|id| !is_short(id)) {
            return Err(BasketError::Id);
        }
        let lines = body.items.into_iter().map(Item::into_line);
        Ok(Self { id: body.basket, lines: lines.collect::<Result<_, _>>()? })
    }

    pub(super) fn pieces(&self) -> u32 {
        self.lines.iter().map(|line| line.quantity).sum()
    }
}

/// The ways in which people write an item down.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an item is a name, or an object with a sku and a quantity")]
enum Item {
    Name(Name),
    Line {
        #[serde(alias = "id", alias = "name", alias = "product")]
        sku: Name,
        #[serde(default = "one", alias = "qty")]
        quantity: u32,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(u64),
}

fn is_short(text: &str) -> bool {
    (1..=64).contains(&text.chars().count())
}

fn one() -> u32 {
    1
}

impl Item {
    fn into_line(self) -> Result<Line, BasketError> {
        let (name, quantity) = match self {
            Self::Name(name) => (name, 1),
            Self::Line { sku, quantity } => (sku, quantity),
        };
        let sku = match name {
            Name::Text(text) => text.trim().to_owned(),
            Name::Number(number) => number.to_string(),
        };
        if !is_short(&sku) {
            return Err(BasketError::Sku);
        }
        if !(1..=MAX_QUANTITY).contains(&quantity) {
            return Err(BasketError::Quantity);
        }
        Ok(Line { sku, quantity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: u32) -> Line {
        Line { sku: sku.into(), quantity }
    }

    #[test]
    fn items_are_names_or_objects() {
        let body = br#"{"items": ["mug", 7, {"sku": "lamp", "quantity": 2}, {"id": 3, "qty": 4, "colour": "red"}]}"#;
        let basket = Basket::from_json(body).unwrap();
        assert_eq!(basket.lines, [line("mug", 1), line("7", 1), line("lamp", 2), line("3", 4)]);
        assert_eq!(basket.pieces(), 8);
    }

    #[test]
    fn what_is_no_basket_is_refused() {
        let refused = |body: &str| Basket::from_json(body.as_bytes()).unwrap_err();
        for body in ["", "[]", "{}", r#"{"items": "mug"}"#, r#"{"items": [null]}"#] {
            assert!(matches!(refused(body), BasketError::Unreadable(_)), "{body}");
        }
        assert_eq!(refused(r#"{"items": []}"#), BasketError::Empty);
        assert_eq!(refused(r#"{"items": [" "]}"#), BasketError::Sku);
        for quantity in ["0", "100"] {
            let body = format!(r#"{{"items": [{{"sku": "mug", "quantity": {quantity}}}]}}"#);
            assert_eq!(refused(&body), BasketError::Quantity);
        }
        assert_eq!(refused(r#"{"basket": "", "items": [1]}"#), BasketError::Id);
        let many = format!(r#"{{"items": [{}]}}"#, ["1"; MAX_LINES + 1].join(","));
        assert_eq!(refused(&many), BasketError::TooManyLines);
    }
}
