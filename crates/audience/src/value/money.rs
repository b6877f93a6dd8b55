use std::fmt;
use std::str::FromStr;

use super::{Decimal, Notation, ValueError};

/// The active codes of ISO 4217 (list one, 2026-01-01) with two decimals.
const TWO: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY \
COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD \
KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR \
NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP \
TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";
/// Without decimals.
const ZERO: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
/// With three decimals.
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";

/// A currency of ISO 4217 that is in use. In JSON its code: `"EUR"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: &'static str,
    decimals: u8,
}

impl Currency {
    /// The three letters.
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// How many decimals its amounts have.
    pub const fn decimals(self) -> u8 {
        self.decimals
    }
}

impl FromStr for Currency {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if text.len() != 3 {
            return Err(ValueError::Currency);
        }
        [(TWO, 2), (ZERO, 0), (THREE, 3)]
            .into_iter()
            .find_map(|(codes, decimals)| {
                let code = codes.split(' ').find(|code| code.eq_ignore_ascii_case(text))?;
                Some(Self { code, decimals })
            })
            .ok_or(ValueError::Currency)
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of money, in minor units (cents). In JSON `[1250,"EUR"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "(i64, Currency)", from = "(i64, Currency)")]
pub struct Money {
    /// The amount in the currency's smallest unit.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl From<(i64, Currency)> for Money {
    fn from((minor, currency): (i64, Currency)) -> Self {
        Self { minor, currency }
    }
}

impl From<Money> for (i64, Currency) {
    fn from(money: Money) -> Self {
        (money.minor, money.currency)
    }
}

impl Money {
    /// Reads an amount with its currency before or after it: `12,50 €`, `EUR 12.50`, `£12.50`; or without one, in
    /// the currency `usual`.
    pub fn parse(text: &str, notation: Notation, usual: Option<Currency>) -> Result<Self, ValueError> {
        let text = text.trim();
        if text.len() > 64 {
            return Err(ValueError::Number);
        }
        let is_number = |c: char| c.is_ascii_digit() || ".,+-\u{2212}'\u{2019}".contains(c) || c.is_whitespace();
        // The minus sign may stand before the currency: `-€5`.
        let (negative, rest) = match text.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        let start = rest.find(is_number).unwrap_or(rest.len());
        let end = rest.rfind(is_number).map_or(0, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
        let (before, after) = (rest[..start].trim(), rest[end.max(start)..].trim());
        let amount = rest[start..end.max(start)].trim();
        if negative && amount.starts_with(['-', '\u{2212}', '+']) {
            return Err(ValueError::Number);
        }
        let currency = match (before, after) {
            ("", "") => usual.ok_or(ValueError::NoCurrency)?,
            (sign, "") | ("", sign) => currency_of(sign, usual)?,
            _ => return Err(ValueError::Currency),
        };
        // A currency without decimals leaves no second reading for `1.234`.
        let number = match Decimal::parse(amount, notation) {
            Err(ValueError::AmbiguousNumber) if currency.decimals < 3 => {
                let digits = amount.replace(['.', ','], "");
                Decimal::parse(&digits, Notation::English)?
            }
            other => other?,
        };
        let scale = number.scale();
        if scale > currency.decimals {
            return Err(ValueError::MinorUnits(currency.decimals));
        }
        let factor = 10i64.pow(u32::from(currency.decimals - scale));
        let minor = number.units().checked_mul(factor).ok_or(ValueError::NumberSize)?;
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }
}

/// The currency that a code or sign stands for. `usual` decides what a shared sign means.
fn currency_of(sign: &str, usual: Option<Currency>) -> Result<Currency, ValueError> {
    let among = |codes: &[&str]| usual.filter(|usual| codes.contains(&usual.code)).ok_or(ValueError::AmbiguousCurrency);
    match sign {
        "€" | "Euro" | "euro" => "EUR".parse(),
        "£" => "GBP".parse(),
        "₹" => "INR".parse(),
        "zł" => "PLN".parse(),
        "Kč" => "CZK".parse(),
        "Fr." | "SFr." => "CHF".parse(),
        "US$" => "USD".parse(),
        "$" => among(&["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP"]),
        "¥" => among(&["JPY", "CNY"]),
        "kr" | "kr." => among(&["DKK", "SEK", "NOK", "ISK"]),
        code => code.parse(),
    }
}

impl fmt::Display for Money {
    /// With a decimal point and the code behind it: `12.50 EUR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::from(self.currency.decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let point = if decimals == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction} {}", self.currency.code)
    }
}
