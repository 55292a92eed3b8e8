module groundwork/standins/k3s/images/pause

go 1.26.0
