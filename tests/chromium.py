"""Chromium, headless, and what it says of a page."""

import json
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root may not have one
    "--disable-dev-shm-usage",  # containers have a small one
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--force-device-scale-factor=1",
)


class Browser:
    """Chromium, and what it says of a page."""

    def __init__(self, chromium: str, chromedriver: str):
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for option in OPTIONS:
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, Service(chromedriver))  # with the path, selenium downloads none

    def open(self, page: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Opens the file in a window of that size, for somebody who likes it light or dark."""
        self.driver.get("about:blank")
        self.said(), self.requests()  # of the page before
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(page.resolve().as_uri())

    def said(self) -> list[str]:
        """What is new in the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """What was newly asked for, each by its address."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [parameters["request"]["url"] for parameters in sent]

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """As they are to be seen, each in one line; of what is hidden, nothing."""
        seen = "e => e.checkVisibility() ? e.innerText.trim().replace(/\\s+/g, ' ') : ''"
        return self.script(f"return [...document.querySelectorAll(arguments[0])].map({seen})", selector)

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(text, *arguments)
