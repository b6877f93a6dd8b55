//! .

statements! {}

bulk_statements! {}
