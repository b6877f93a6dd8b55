//! .

statements! {}
