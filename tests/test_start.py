"""What a server and the reading commands load: neither the page nor an answer waits for torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOADED = "print({'torch', 'torchvision', 'onnx', 'onnxscript'} & set(sys.modules))"


def loaded_by(code: str) -> str:
    """Which of the large packages are loaded after the code, in a process of its own."""
    command = [sys.executable, "-c", f"import sys\n{code}\n{LOADED}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr[-2000:]


def test_a_server_opens_without_torch():
    assert loaded_by("from demo.app import server; server()") == "set()"


def test_digits_and_signs_are_read_without_torch_heat_maps_too():
    code = """
import numpy as np
from PIL import Image
from demo.draw.endpoints import digit_reader
from demo.signs import readers
[reading] = digit_reader().read_strokes([np.array([[300, 100], [300, 400]])], (600, 480))
assert reading.label == "1" and reading.heat is not None
for network in readers.READERS:
    reading = readers.reader(network).read(Image.open("assets/signs/light/B.webp"))
    assert reading.label and reading.heat is not None, network
"""
    assert loaded_by(code) == "set()"


def test_the_command_that_reads_files_does_without_torch(tmp_path):
    code = f"""
from PIL import Image, ImageDraw
from train.predict import main
page = Image.new("L", (200, 200), 255)
ImageDraw.Draw(page).line([(100, 30), (100, 170)], fill=0, width=12)
page.save({str(tmp_path / "1.png")!r})
assert main(["mnist", {str(tmp_path / "1.png")!r}]) == 0
assert main(["asl", "assets/signs/light/B.webp"]) == 0
"""
    assert loaded_by(code) == "set()"


def test_mnist_is_read_without_torchvision():
    assert loaded_by("from train.data import mnist; mnist.load(train=False)") == "{'torch'}"


def test_gradio_is_loaded_without_parsing_its_own_sources():
    """Should Gradio write its stubs in another way, this fails, and demo/engine.py has become useless."""
    code = """
import ast, inspect
parse, getfile, parsed = ast.parse, inspect.getfile, []
ast.parse = lambda *given, **more: parsed.append(given) or parse(*given, **more)
import demo.engine
while_loading = len(parsed)
from gradio.component_meta import create_or_modify_pyi
create_or_modify_pyi(demo.engine.gr.Textbox, "Textbox", [])
assert inspect.getfile is getfile and len(parsed) > while_loading, len(parsed)
assert while_loading < 30, while_loading
"""
    assert loaded_by(code) == "set()"
