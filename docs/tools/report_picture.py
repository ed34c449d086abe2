"""Take the picture of a report that the documentation shows, in a browser.

Run from the repository, with PneumoniaMNIST where ``sklearn_cae.datasets`` finds it, and with
chromium and chromedriver on the path (a minute):

    python docs/tools/report_picture.py
"""

import shutil
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from sklearn_cae import ContrastiveAutoencoderClusterer, cluster_report, recommended
from sklearn_cae.datasets import load_pneumoniamnist

train = load_pneumoniamnist("train").data[:1000]
val = load_pneumoniamnist("val")
few = {"warm_up_epochs": 15, "refinement_epochs": 5, "conditioning_epochs": 5}
model = ContrastiveAutoencoderClusterer(**recommended(len(train), **few), random_state=0)
model.fit(train)

options = webdriver.ChromeOptions()
for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,1400"):
    options.add_argument(argument)
options.binary_location = shutil.which("chromium")
driver = Service(shutil.which("chromedriver"))
with tempfile.TemporaryDirectory() as folder, webdriver.Chrome(options, driver) as browser:
    names = val.target_names[val.target]
    page = cluster_report(model, val.data, names, path=Path(folder) / "report.html")
    browser.get(page.as_uri())
    browser.save_screenshot(str(Path(__file__).parents[1] / "figures" / "report.png"))
