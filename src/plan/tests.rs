//! Plan tests: tables, no kernel.
