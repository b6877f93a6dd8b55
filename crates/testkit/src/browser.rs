//! Chromium through WebDriver.
