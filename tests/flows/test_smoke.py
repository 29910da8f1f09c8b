import time
from flows.campaign import campaign
from flows.accounts import sandbox_credentials
from tasks.brief import read_brief, Brief

def test_a(sandbox, tmp_path):
    sc, su = sandbox_credentials(sandbox.origin)
    brief = read_brief({"name": "x", "prompts": "a {red|blue} pot", "seeds": 2, "generate": {"width_px": 256, "height_px": 256, "steps": 4}, "edits": [{"instruction": "make it blue"}]}, Brief, shown_as="x")
    t = time.time()
    r = campaign(brief, archive=tmp_path, scenario=sc, sunra=su)
    print(time.time() - t)
    print(r.bought, r.reused, r.cost, r.failures)
    t = time.time()
    r = campaign(brief, archive=tmp_path, scenario=sc, sunra=su)
    print(time.time() - t)
    print(r.bought, r.reused, r.cost, r.failures)
    for j in sandbox.jobs(): print(j)

async def test_b(sandbox, tmp_path):
    sc, su = sandbox_credentials(sandbox.origin)
    brief = read_brief({"name": "x", "prompts": "a {red|blue} pot", "seeds": 2, "generate": {"width_px": 256, "height_px": 256, "steps": 4}, "edits": [{"instruction": "make it blue"}]}, Brief, shown_as="x")
    t = time.time()
    r = await campaign(brief, archive=tmp_path, scenario=sc, sunra=su)
    print(time.time() - t)
    t = time.time()
    r = await campaign(brief, archive=tmp_path, scenario=sc, sunra=su)
    print(time.time() - t)
