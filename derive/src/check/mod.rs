//! Raw models to checked ones. Each rule between attributes is one small function, whose comment
//! shows the code that it rejects.

pub(crate) mod dto;
pub(crate) mod entity;
pub(crate) mod input;
pub(crate) mod named_rule;
pub(crate) mod repository;
pub(crate) mod text_enum;
pub(crate) mod viewer;
