import json, time, pytest
from motcua import clocks
from telemetry.core.topics import Topic
T = Topic("vn83-83","vn83-83-kiosk1","up")
def ev(n, **k): return {"n":n,"t":clocks.wall_ms(),"type":"ticket.issued","ticket":"a","queue":"land","service":"land",**k}
def frame(*events, **k): return json.dumps({"v":1,"spool":"good","events":list(events),**k}).encode()
U=[("spool","bad"),("from","1"),("to","2")]
CASES={
 "feff_user": (b"x","",[("a","\ufeff")]),
 "nul_user": (b"x","",[("a","\x00")]),
 "feff_ct": (b"x","\ufeff",[]),
 "fffe": (b"x","",[("a","\uffff")]),
 "huge_from": (b"x","",[("spool","bad"),("from",str(10**30)),("to",str(10**30+1))]),
 "deep": (b'{"v":1,"spool":"bad","events":['+b'{"n":1,"a":'+b"["*450+b"]"*450+b"}"+b"]}","",U),
 "deep2": (b'{"v":1,"spool":"bad","events":['+b'{"n":1,"a":'+b"["*900+b"]"*900+b"}"+b"]}","",U),
 "deepobj": (b'{"v":1,"spool":"bad","events":['+b'{"n":1,"a":'+b'{"a":'*450+b"1"+b"}"*450+b"}"+b"]}","",U),
 "vdeep": (b"["*100000,"",U),
 "manyrows": (b'{"v":1,"spool":"bad","events":['+b",".join([b'{"n":9007199254740991}']*5600)+b"]}","",U),
 "floatn": (b'{"v":1,"spool":"bad","events":[{"n":1e400},{"n":1.0},{"n":-1},{"n":99999999999999999999999999}]}',"",U),
 "bigt": (frame(ev(1,t=1<<53)),"",U),
 "bigt2": (frame(ev(1,t=1<<200)),"",U),
 "surrogate": (b'{"v":1,"spool":"bad","events":[{"n":1,"type":"\\ud800"}]}',"",U),
 "spoolsurr": (b'{"v":1,"spool":"\\ud800","events":[]}',"",U),
 "emptyevents": (b'{"v":1,"spool":"bad","events":[]}',"",U),
 "empty": (b"","",U),
 "dupn": (frame(ev(5),ev(5,ticket="b")),"",U),
 "ancient": (frame(ev(6,t=0)),"",U),
 "probe_unknown_unit": (frame({"n":7,"t":clocks.wall_ms(),"type":"probe.result","system":"nobody","kind":"tcp","ok":True}),"",U),
}
@pytest.mark.parametrize("case",CASES)
def test_x(case, house, wire):
    house.start("broker"); ing=house.start("ingest"); house.linked(ing)
    w=wire(house.mqtt,T)
    p,c,u=CASES[case]
    w.publish(p,c,u)
    w.publish(frame(ev(100)))
    t=time.time()
    while time.time()-t<4 and ing.running and not any(r.spool=="good" and r.ranges and r.ranges[-1][1]==100 for r in w.receipts): time.sleep(.02)
    print(case, "RUN" if ing.running else "DEAD", house.store.count(), house.store.dead_letters(), str(w.receipts)[:300], ing.text().count("linked"), ing.text()[-600:] if not ing.running else "")
    assert any(r.spool=="good" and r.ranges and r.ranges[-1][1]==100 for r in w.receipts)
    assert ing.running and ing.text().count("linked  ")==1
