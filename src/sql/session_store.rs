pub(crate) fn session_exists(_: &crate::request::StatementGuard) -> sea_query::Expr {
    sea_query::Expr::val(true)
}
