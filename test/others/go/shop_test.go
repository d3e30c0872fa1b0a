package shop

import (
	"database/sql"
	"fmt"
	"testing"

	_ "github.com/lib/pq"
)

func TestJobs(t *testing.T) {
	for number := 1; number <= 8; number++ {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			t.Parallel()
			shop, err := sql.Open("postgres", database(t)+"?sslmode=disable")
			if err != nil {
				t.Fatal(err)
			}
			defer shop.Close()
			var jobs int
			if err := shop.QueryRow("select count(*) from jobs").Scan(&jobs); err != nil || jobs != 100 {
				t.Fatalf("%d jobs in place of 100: %v", jobs, err)
			}
			if _, err := shop.Exec("delete from jobs"); err != nil {
				t.Fatal(err)
			}
		})
	}
}
