package testbinary

import ("testing"; "github.com/spanprobe/spanprobe/internal/model"; "time")

func TestWarm(t *testing.T) {
	for _, v := range []string{"1.26.8","1.27.4","1.21.13","1.24.13","1.22.12"} {
		for _, f := range []Form{Plain, Stripped} { s:=time.Now(); t.Log(Server(t, Build{v, model.AMD64, f}), time.Since(s)) }
	}
	for _, v := range []string{"1.26.8","1.27.4","1.21.13","1.22.12", "1.24.13"} {
		s:=time.Now(); 
		t.Log(Server(t, Build{v, model.ARM64, Plain}), time.Since(s))
		t.Log(Server(t, Build{v, model.AMD64, PIE}), time.Since(s))
	}
}
