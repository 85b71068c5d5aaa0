//! What the shop sells.

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) sku: &'static str,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) price_cents: u64,
}

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        sku: "mug",
        name: "Enamel mug",
        about: "Survives the dishwasher and the code review.",
        price_cents: 1_450,
    },
    Product {
        sku: "notebook",
        name: "Dotted notebook",
        about: "For what does not fit in a commit message.",
        price_cents: 990,
    },
    Product {
        sku: "lamp",
        name: "Desk lamp",
        about: "Warm light for late deployments.",
        price_cents: 5_900,
    },
    Product {
        sku: "yacht",
        name: "Model yacht, gold plated",
        about: "More than any card allows: payments will decline it.",
        price_cents: 249_900,
    },
];

/// What anything costs that is not on the shelf: it can be ordered all the same.
pub(super) const SPECIAL_ORDER_CENTS: u64 = 1_000;

pub(super) fn price_cents(sku: &str) -> Option<u64> {
    PRODUCTS.iter().find(|product| product.sku == sku).map(|product| product.price_cents)
}
