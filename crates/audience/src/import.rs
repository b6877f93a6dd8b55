//! Import of CSV, TSV and XLSX files.
