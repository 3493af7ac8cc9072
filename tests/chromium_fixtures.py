"""A real Chromium. Test files that want it say: pytest_plugins = ["chromium_fixtures"]."""

import os
import shutil
from collections.abc import Iterator

import pytest
from chromium import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Skips the test where there is no Chromium; on the servers that test each change, there must be one."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI has to install Chromium: there is no chromium or chromedriver")
        pytest.skip("Chromium is not installed: there is no chromium or chromedriver")
    browser = Browser(chromium, chromedriver)
    yield browser
    browser.driver.quit()
